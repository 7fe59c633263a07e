package conformance_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// statsNotes is a stats handler that takes notes.
type statsNotes struct {
	track *track

	mu    sync.Mutex
	calls []*callNotes
	conns []*connNotes
}

// callNotes are the events of one call. Those that arrive at a client from the server have an
// order of their own: they overtake what the caller does.
type callNotes struct {
	method           string
	failFast         bool
	events, arrivals []string
	ended            chan struct{}
}

type connNotes struct {
	begun, ended int
	client       bool
}

// key is for values that a stats handler puts into contexts.
type statsKey struct {
	notes *statsNotes
	what  string
}

func (b *rig) statsNotes(name string) *statsNotes { return &statsNotes{track: b.track(name)} }

func (n *statsNotes) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if ctx.Value(statsKey{n, "call"}) != nil {
		n.track.b.Errorf("%s: a call was tagged twice", n.track.name)
	}
	call := &callNotes{method: info.FullMethodName, failFast: info.FailFast, ended: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, call)
	return context.WithValue(ctx, statsKey{n, "call"}, call)
}

func (n *statsNotes) HandleRPC(ctx context.Context, event stats.RPCStats) {
	call, ok := ctx.Value(statsKey{n, "call"}).(*callNotes)
	if !ok {
		n.track.b.Errorf("%s: %T comes without the context of TagRPC", n.track.name, event)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch event.(type) {
	case *stats.DelayedPickComplete:
		return // the connection was not there yet: that is about connections
	case *stats.InHeader, *stats.InTrailer:
		if event.IsClient() {
			call.arrivals = append(call.arrivals, n.describe(event))
			return
		}
	}
	call.events = append(call.events, n.describe(event))
	if _, ok := event.(*stats.End); ok {
		close(call.ended)
	}
}

// describe puts an event into words. Of times it tells whether they are there. How many bytes
// a header, or what surrounds a payload, takes on the wire is the transport's own affair.
func (n *statsNotes) describe(event stats.RPCStats) string {
	plain := func(md metadata.MD) map[string][]string { return md } // prints the values
	addr := func(a net.Addr) string {
		if a == nil {
			return "none"
		}
		return a.Network() + " " + n.track.b.normal(a.String())
	}
	var text string
	switch e := event.(type) {
	case *stats.Begin:
		text = fmt.Sprintf("client %v, client stream %v, server stream %v, transparent retry %v, fail fast %v, time %v",
			e.Client, e.IsClientStream, e.IsServerStream, e.IsTransparentRetryAttempt, e.FailFast, !e.BeginTime.IsZero())
	case *stats.End:
		text = fmt.Sprintf("client %v, error %+v, trailer %v, times %v",
			e.Client, n.track.b.outcome(e.Error), plain(e.Trailer), !e.BeginTime.IsZero() && !e.EndTime.Before(e.BeginTime))
	case *stats.OutHeader:
		text = fmt.Sprintf("client %v, method %q, authority %q, compression %q, header %v, local %v, remote %v",
			e.Client, e.FullMethod, e.Authority, e.Compression, plain(e.Header), addr(e.LocalAddr), addr(e.RemoteAddr))
	case *stats.InHeader:
		text = fmt.Sprintf("client %v, method %q, compression %q, header %v, local %v, remote %v, on the wire %v",
			e.Client, e.FullMethod, e.Compression, plain(withoutCompressors(e.Header)), addr(e.LocalAddr), addr(e.RemoteAddr), e.WireLength > 0)
	case *stats.OutPayload:
		text = fmt.Sprintf("client %v, payload %T %v, length %d, compressed %d, on the wire %v, time %v",
			e.Client, e.Payload, e.Payload != nil, e.Length, e.CompressedLength, e.WireLength >= e.Length, !e.SentTime.IsZero())
	case *stats.InPayload:
		text = fmt.Sprintf("client %v, payload %T, length %d, compressed %d, on the wire %v, time %v",
			e.Client, e.Payload, e.Length, e.CompressedLength, e.WireLength >= e.Length, !e.RecvTime.IsZero())
	case *stats.OutTrailer:
		text = fmt.Sprintf("client %v, trailer %v", e.Client, plain(e.Trailer))
	case *stats.InTrailer:
		text = fmt.Sprintf("client %v, trailer %v, on the wire %v", e.Client, plain(e.Trailer), e.WireLength > 0)
	}
	return fmt.Sprintf("%T: %s", event, text)
}

func (n *statsNotes) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	conn := &connNotes{}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, conn)
	if info.LocalAddr == nil || info.RemoteAddr == nil {
		n.track.b.Errorf("%s: a connection comes without addresses", n.track.name)
	}
	return context.WithValue(ctx, statsKey{n, "conn"}, conn)
}

func (n *statsNotes) HandleConn(ctx context.Context, event stats.ConnStats) {
	conn, ok := ctx.Value(statsKey{n, "conn"}).(*connNotes)
	if !ok {
		n.track.b.Errorf("%s: %T comes without the context of TagConn", n.track.name, event)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	conn.client = event.IsClient()
	switch event.(type) {
	case *stats.ConnBegin:
		conn.begun++
	case *stats.ConnEnd:
		conn.ended++
	}
}

// are waits for the end of all calls and notes their events. Each is to have had those whose
// names are given; what arrived at a client is given after a bar.
func (n *statsNotes) are(sequences ...string) {
	n.track.b.Helper()
	n.check(sequences, func(call *callNotes) string {
		got := strings.Join(typesOf(call.events), " ")
		if len(call.arrivals) > 0 {
			got += " | " + strings.Join(typesOf(call.arrivals), " ")
		}
		n.track.saw("arrivals", slices.Clone(call.arrivals))
		return got
	})
}

// areSent is for calls of which it is a race what arrived before they were given up.
func (n *statsNotes) areSent(sequences ...string) {
	n.track.b.Helper()
	n.check(sequences, func(call *callNotes) string { return strings.Join(typesOf(call.events), " ") })
}

func (n *statsNotes) check(sequences []string, sequenceOf func(*callNotes) string) {
	n.track.b.Helper()
	n.track.b.until("all calls to be seen", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.calls) == len(sequences)
	})
	n.mu.Lock()
	calls := slices.Clone(n.calls)
	n.mu.Unlock()
	n.track.is("number of calls", len(calls), len(sequences))
	for i, call := range calls[:min(len(calls), len(sequences))] {
		await(n.track.b, "the end of the call", call.ended)
		n.mu.Lock()
		n.track.saw("method", call.method)
		n.track.saw("fail fast", call.failFast)
		n.track.is("sequence", sequenceOf(call), sequences[i])
		n.track.saw("events", slices.Clone(call.events))
		n.mu.Unlock()
	}
}

// eventually waits for one call that had certain events, and maybe does not end.
func (n *statsNotes) eventually(want string) {
	n.track.b.Helper()
	n.track.b.until(want, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.calls) == 1 && strings.Join(typesOf(n.calls[0].events), " ") == want
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.track.saw("events", slices.Clone(n.calls[0].events))
}

func typesOf(events []string) (types []string) {
	for _, e := range events {
		name, _, _ := strings.Cut(strings.TrimPrefix(e, "*stats."), ":")
		types = append(types, name)
	}
	return types
}
