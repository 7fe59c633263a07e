package inspect

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxEntries is how many methods and how many clients are told apart. A server has fewer methods, unless
	// it takes any name.
	maxEntries = 1000
	// maxName is how long the name of a method may be, which a client chooses if the server takes any.
	maxName = 256
	// forgetAfter is how long a client without calls is remembered.
	forgetAfter = time.Minute
)

// counting is what is counted while there are viewers. All of it may be used concurrently.
type counting struct {
	since   time.Time
	methods table[string, method]
	clients table[Caller, client]
}

func newCounting() *counting {
	c := &counting{since: time.Now()}
	c.methods.make = func(string) *method { return new(method) }
	c.clients.make = newClient
	return c
}

// Caller is who makes a call.
type Caller struct {
	UID int // -1 if it is unknown
	PID int // 0 if it is unknown
}

// method counts the calls of a method.
type method struct {
	started atomic.Uint64
	codes   [codes.Unauthenticated + 1]atomic.Uint64 // of calls that have ended
	latency histogram
}

// client counts the calls of a process.
type client struct {
	started, ended, failed atomic.Uint64
	last                   atomic.Int64 // when it last began or ended a call, in nanoseconds since 1970

	program string
}

// newClient finds the program of a client while that waits for its first call. Many live no longer.
func newClient(from Caller) *client {
	c := new(client)
	if from.PID > 0 {
		c.program = programOf(from.PID)
	}
	return c
}

// call is one that is counted.
type call struct {
	method *method
	client *client
	begun  time.Time
}

func (c *counting) begin(name string, from Caller) call {
	begun := call{method: &c.methods.others, client: c.clients.get(from), begun: time.Now()}
	if len(name) <= maxName {
		begun.method = c.methods.get(name)
	}
	begun.method.started.Add(1)
	begun.client.started.Add(1)
	begun.client.last.Store(begun.begun.UnixNano())
	return begun
}

func (c *call) end(err error) {
	took := time.Since(c.begun)
	code := codeOf(err)
	c.method.codes[code].Add(1)
	c.method.latency.add(took)
	if code != codes.OK {
		c.client.failed.Add(1)
	}
	c.client.ended.Add(1)
	c.client.last.Store(c.begun.Add(took).UnixNano())
}

// codeOf returns the code that grpc makes of a handler's error. One that gRPC does not know is Unknown.
func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	if s.Code() > codes.Unauthenticated {
		return codes.Unknown
	}
	return s.Code()
}

// forget forgets clients that have made no calls for a while.
func (c *counting) forget(now time.Time) {
	before := now.Add(-forgetAfter).UnixNano()
	for caller, client := range c.clients.all() {
		if client.last.Load() < before && client.started.Load() == client.ended.Load() {
			c.clients.remove(caller)
		}
	}
}
