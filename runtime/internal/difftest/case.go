package difftest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Kind is which of both ends sends a stream.
type Kind struct{ ClientStreams, ServerStreams bool }

// The four kinds of calls.
var (
	Unary        = Kind{}
	ClientStream = Kind{ClientStreams: true}
	ServerStream = Kind{ServerStreams: true}
	Bidi         = Kind{ClientStreams: true, ServerStreams: true}
)

func (k Kind) method() string {
	switch k {
	case Unary:
		return "Unary"
	case ClientStream:
		return "ClientStream"
	case ServerStream:
		return "ServerStream"
	default:
		return "Bidi"
	}
}

func (k Kind) desc() *grpc.StreamDesc {
	return &grpc.StreamDesc{StreamName: k.method(), ClientStreams: k.ClientStreams, ServerStreams: k.ServerStreams}
}

// Op is what a step does.
type Op string

// Some are for both ends, some for one of them.
const (
	Send      Op = "send"      // N messages of Size bytes
	Recv      Op = "recv"      // N messages
	RecvAll   Op = "recv all"  // until there is an error, or the end
	CloseSend Op = "closesend" // client
	Header    Op = "header"    // client; waits for it
	Trailer   Op = "trailer"   // client; only where one may ask for it
	Cancel    Op = "cancel"    // ends the client's context, whichever goroutine does it
	Settle    Op = "settle"    // waits until nothing moves any more
	Pause     Op = "pause"     // for N microseconds

	Echo       Op = "echo" // receives until the end, and answers each message with one of Size bytes, or its own if -1
	SetHeader  Op = "set header"
	SendHeader Op = "send header"
	SetTrailer Op = "set trailer"
	WaitCtx    Op = "wait for context"
	CtxErr     Op = "context's error"
)

// Step is one thing that one goroutine does.
type Step struct {
	Op   Op
	N    int
	Size int
	MD   metadata.MD
}

func (s Step) String() string {
	switch {
	case s.Op == Send:
		return fmt.Sprintf("%s %dx%d", s.Op, s.N, s.Size)
	case s.Op == Recv || s.Op == Pause:
		return fmt.Sprintf("%s %d", s.Op, s.N)
	case s.Op == Echo:
		return fmt.Sprintf("%s %d", s.Op, s.Size)
	case s.MD != nil:
		return string(s.Op) + " " + describeMD(s.MD)
	default:
		return string(s.Op)
	}
}

// Case is a call, and what both ends of it do.
type Case struct {
	Seed     uint64
	Kind     Kind
	MD       metadata.MD   // that the client sends
	Deadline time.Duration // 0 for one that is only reached by a call that hangs

	Client  [][]Step // one or two goroutines; one of them sends
	Handler [][]Step // the same; the first is the handler's own goroutine
	Stops   bool     // a handler's goroutine stops at its first error, which the handler returns
	Return  Return
	After   []Step // with the handler's context, when the call is over at both ends

	// Limits of messages; 0 for grpc's own.
	ClientMaxSend, ClientMaxRecv, ServerMaxRecv int

	Stats bool // with stats handlers
}

// limitless is the deadline of calls that are not to reach it.
const limitless = 20 * time.Second

// RequestSize is the size of a unary call's request.
func (c *Case) requestSize() int {
	for _, s := range c.Client[0] {
		if s.Op == Send {
			return s.Size
		}
	}
	return 0
}

// mayEndEarly tells whether the call can end while the other end is in the middle of something, but
// by the handler's return.
func (c *Case) mayEndEarly() bool {
	return c.Deadline > 0 || c.has(Cancel) || c.ClientMaxSend+c.ClientMaxRecv+c.ServerMaxRecv > 0
}

func (c *Case) has(op Op) bool {
	return slices.ContainsFunc(slices.Concat(c.Client, c.Handler), func(lane []Step) bool {
		return slices.ContainsFunc(lane, func(s Step) bool { return s.Op == op })
	})
}

func (c *Case) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s", c.Seed, c.Kind.method())
	if c.Deadline > 0 {
		fmt.Fprintf(&b, ", deadline %v", c.Deadline)
	}
	if c.ClientMaxSend+c.ClientMaxRecv+c.ServerMaxRecv > 0 {
		fmt.Fprintf(&b, ", limits: client sends %d, receives %d, server receives %d", c.ClientMaxSend, c.ClientMaxRecv, c.ServerMaxRecv)
	}
	if c.Stats {
		b.WriteString(", stats")
	}
	if len(c.MD) > 0 {
		b.WriteString(", metadata " + describeMD(c.MD))
	}
	b.WriteByte('\n')
	for i, lane := range c.Client {
		fmt.Fprintf(&b, "  client %d:  %v\n", i, lane)
	}
	for i, lane := range c.Handler {
		fmt.Fprintf(&b, "  handler %d: %v\n", i, lane)
	}
	fmt.Fprintf(&b, "  returns %v", c.Return)
	if c.Stops {
		b.WriteString(", or its first error")
	}
	if len(c.After) > 0 {
		fmt.Fprintf(&b, "; after it: %v", c.After)
	}
	b.WriteByte('\n')
	return b.String()
}
