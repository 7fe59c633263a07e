// Package load makes calls and takes their times.
package load

import (
	"context"
	"fmt"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// Kind is a kind of call.
type Kind string

// The kinds of calls. Dial is a unary call of a client made for it, Herd one of each of many callers
// that begin together on such a client.
const (
	Unary        Kind = "unary"
	PingPong     Kind = "ping-pong"
	ServerStream Kind = "server stream"
	ClientStream Kind = "client stream"
	Dial         Kind = "dial"
	Herd         Kind = "herd"

	// Those of a [peer.FileClient]: a unary call that carries open files, and one that has the server add
	// up data in a memory file or in messages.
	Files       Kind = "files"
	SumMemory   Kind = "sum memory"
	SumMessages Kind = "sum messages"
)

// Kinds returns all kinds of calls.
func Kinds() []Kind { return append(FirstKinds(), Herd, Files, SumMemory, SumMessages) }

// FirstKinds returns those which children can make that do not say which they can.
func FirstKinds() []Kind {
	return []Kind{Unary, PingPong, ServerStream, ClientStream, Dial}
}

// StreamMessages is how many messages a server stream or a client stream has: enough that its
// beginning and its end do not count.
const StreamMessages = 5000

// Spec says which calls to make.
type Spec struct {
	Kind     Kind
	Size     int           // of each message, or of what is added up, in bytes
	Callers  int           // how many call at once
	Deadline time.Duration // of each call; zero for none
	Duration time.Duration // for how long to call
	Files    int           `json:",omitempty"` // that a call carries, of the kind Files
}

// Result is what came of them.
type Result struct {
	Calls   int // round trips, or messages of a stream of one direction
	Elapsed time.Duration
	P50     time.Duration // of a round trip; zero for a stream of one direction
	P99     time.Duration
	Max     time.Duration
}

// Target is who is called.
type Target struct {
	Client peer.Client

	// Dial returns another client, for that many concurrent callers. The kinds Dial and Herd use it.
	Dial func(ctx context.Context, callers int) (peer.Client, error)
}

// operation makes one call, or the part of one that is timed, and returns its end and how many
// messages it had.
type operation func(context.Context) (end time.Time, messages int, err error)

// Run makes calls for the time that spec says. Every caller makes one at least. Of the kind Herd it
// makes the same number whatever the time.
func Run(ctx context.Context, t Target, spec Spec) (Result, error) {
	data := peer.Payload(spec.Size)
	var op operation
	switch spec.Kind {
	case Unary:
		op = unary(t.Client, data, spec.Deadline)
	case ServerStream:
		op = serverStream(t.Client, data)
	case ClientStream:
		op = clientStream(t.Client, data)
	case Dial:
		op = dial(t.Dial, data)
	case Herd:
		return herd(ctx, t.Dial, data, spec)
	case PingPong:
		stream, err := t.Client.PingPong(ctx)
		if err != nil {
			return Result{}, err
		}
		r, err := repeat(ctx, spec, pingPong(stream, data))
		if err != nil {
			return Result{}, err
		}
		return r, stream.Close()
	case Files, SumMemory, SumMessages:
		return withFiles(ctx, t.Client, data, spec)
	default:
		return Result{}, fmt.Errorf("no calls of kind %q are known", spec.Kind)
	}
	return repeat(ctx, spec, op)
}

func unary(c peer.Client, data []byte, deadline time.Duration) operation {
	return func(ctx context.Context) (time.Time, int, error) {
		if deadline > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, deadline)
			defer cancel()
		}
		got, err := c.Unary(ctx, data)
		return time.Now(), 1, check(got, len(data), err)
	}
}

func pingPong(s peer.Stream, data []byte) operation {
	return func(context.Context) (time.Time, int, error) {
		got, err := s.RoundTrip(data)
		return time.Now(), 1, check(got, len(data), err)
	}
}

func serverStream(c peer.Client, data []byte) operation {
	return func(ctx context.Context) (time.Time, int, error) {
		var messages, size int
		err := c.ServerStream(ctx, StreamMessages, len(data), func(m []byte) {
			messages++
			size += len(m)
		})
		return time.Now(), messages, checkStream(messages, size, StreamMessages, len(data), err)
	}
}

func clientStream(c peer.Client, data []byte) operation {
	return func(ctx context.Context) (time.Time, int, error) {
		messages, size, err := c.ClientStream(ctx, StreamMessages, data)
		return time.Now(), int(messages), checkStream(int(messages), int(size), StreamMessages, len(data), err)
	}
}

func dial(dial func(context.Context, int) (peer.Client, error), data []byte) operation {
	return func(ctx context.Context) (time.Time, int, error) {
		c, err := dial(ctx, 1)
		if err != nil {
			return time.Time{}, 0, err
		}
		got, err := c.Unary(ctx, data)
		end := time.Now()
		if err := check(got, len(data), err); err != nil {
			return end, 0, err
		}
		return end, 1, c.Close()
	}
}

// check costs nothing, so it is made for every call; [Verify] looks at the bytes.
func check(got []byte, size int, err error) error {
	if err == nil && len(got) != size {
		err = fmt.Errorf("the reply has %d bytes instead of %d", len(got), size)
	}
	return err
}

func checkStream(messages, bytes, want, size int, err error) error {
	if err == nil && (messages != want || bytes != want*size) {
		err = fmt.Errorf("%d messages with %d bytes arrived instead of %d with %d", messages, bytes, want, want*size)
	}
	return err
}
