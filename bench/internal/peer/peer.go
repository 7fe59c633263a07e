// Package peer holds the ways to call a service on this machine that are compared: one file for
// each, behind one interface. A new peer is a file and a line in [All].
package peer

import (
	"context"
	"slices"
	"strings"
)

// Peer is one way to call the Bench service.
type Peer interface {
	About() About

	// Listen serves the Bench service, and copies of it under other names so that there are
	// that many services, on a socket at path. A peer that does not use Unix sockets chooses
	// an address of its own.
	Listen(path string, services int) (*Server, error)

	// Dial returns a client of the server at addr, for that many concurrent callers. It need not
	// connect before the first call.
	Dial(ctx context.Context, addr string, callers int) (Client, error)
}

// About describes a peer to a reader of the results.
type About struct {
	Name     string
	Module   string            // import path of the module whose version counts; empty for the standard library
	Settings string            // what differs from the defaults, and why
	Lacks    map[string]string // workloads that it cannot do, and why
}

// Lack returns why the peer cannot do a workload, or "" if it can.
func (a About) Lack(workload string) string { return a.Lacks[workload] }

// Client makes the four kinds of calls. Only Unary may be called concurrently.
type Client interface {
	Unary(ctx context.Context, data []byte) ([]byte, error)
	PingPong(ctx context.Context) (Stream, error)

	// ServerStream asks for count messages of size bytes and hands each to got.
	ServerStream(ctx context.Context, count, size int, got func([]byte)) error

	// ClientStream sends data count times and returns how many messages and bytes the server
	// says it got.
	ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error)

	Close() error
}

// Stream is an open ping-pong call.
type Stream interface {
	RoundTrip(data []byte) ([]byte, error)
	Close() error // ends the call and waits for the server to end it
}

// All returns the peers in the order in which they are shown.
func All() []Peer {
	return []Peer{
		raw{},
		grpcTCP{},
		grpcUDS{},
		ttrpcPeer{},
		drpcPeer{},
		connectPeer{},
		udsgrpc{},
		udsgrpcHTTP2{},
	}
}

// Find returns the peer of that name.
func Find(name string) (Peer, bool) {
	all := slices.Concat(All(), Settings())
	i := slices.IndexFunc(all, func(p Peer) bool { return p.About().Name == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// sentences joins the parts of a description, so that sources stay readable.
func sentences(s ...string) string { return strings.Join(s, " ") }
