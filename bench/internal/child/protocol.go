// Package child runs the server and the client of a measurement, each in a process of its own. The
// parent tells them what to do in lines of JSON on their standard input; they answer on their
// standard output.
package child

import (
	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/usage"
)

// Argument makes the program a child instead of the benchmark.
const Argument = "child-of-the-benchmark"

// Protocol is the version of what parent and child say to each other. The children of one revision
// work for the parent of another as long as it is the same, so it changes when something that was there
// before means something else or is gone. New kinds of calls are told by [Greeting.Kinds] instead.
const Protocol = 1

// Request asks a child to do one thing: that which is not nil.
type Request struct {
	Hello *Hello     `json:",omitempty"`
	Serve *Serve     `json:",omitempty"`
	Dial  *Dial      `json:",omitempty"`
	Idle  *Idle      `json:",omitempty"`
	Warm  *load.Spec `json:",omitempty"` // checks what comes back, then makes calls that do not count
	Run   *load.Spec `json:",omitempty"`
	Usage *Usage     `json:",omitempty"`
	// Compute is understood by children of this program only.
	Compute *Compute `json:",omitempty"`
}

// Hello asks who the child is. The first revisions with protocol 1 answer it with an error.
type Hello struct{}

// Serve asks for a server of the peer at Path. The answer has its address.
type Serve struct {
	Peer, Path string
	Services   int
	Files      bool `json:",omitempty"` // the server has the Files service too, of peers that are a FilePeer
}

// Dial asks for a client of the peer's server at Addr.
type Dial struct {
	Peer, Addr string
	Callers    int
}

// Idle asks for more clients until there are Clients of them, which make one call each and then
// stay connected.
type Idle struct{ Clients int }

// Compute asks for threads that compute until the child ends, and do nothing else.
type Compute struct{ Threads int }

// Usage asks what the child has used, with Settle after collecting its garbage.
type Usage struct{ Settle bool }

// Reply is the answer; what was not asked for is empty.
type Reply struct {
	Error  string      `json:",omitempty"`
	Hello  Greeting    `json:",omitzero"`
	Addr   string      `json:",omitempty"`
	Result load.Result `json:",omitzero"`
	Cost   usage.Cost  `json:",omitzero"` // of the child itself, for what it has run
	Usage  usage.Usage `json:",omitzero"`
}

// Greeting answers a Hello.
type Greeting struct {
	Protocol int
	Kinds    []load.Kind // of calls that the child can make
}
