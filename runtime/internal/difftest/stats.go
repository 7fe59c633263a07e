package difftest

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// callStats are the events of one call at one end, in the order of their kinds that programs may
// rely on. The run's mutex guards it.
type callStats struct {
	begun, ended bool
	own          []string // what this end does, but for messages received
	arrivals     []string // header and trailer at the client: they overtake what it does
	in, out      int      // payloads
}

// statsHandler records the events of the runs of a pair.
type statsHandler struct{ pair *Pair }

type statsKey struct{}

func (h statsHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok {
		md, _ = metadata.FromOutgoingContext(ctx)
	}
	if r := h.pair.find(md); r != nil && r.c.Stats {
		return context.WithValue(ctx, statsKey{}, r)
	}
	return ctx
}

func (statsHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (statsHandler) HandleConn(context.Context, stats.ConnStats)                       {}

func (statsHandler) HandleRPC(ctx context.Context, event stats.RPCStats) {
	r, ok := ctx.Value(statsKey{}).(*run)
	if !ok {
		return
	}
	r.moved()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return
	}
	c := r.stats[1]
	if event.IsClient() {
		c = r.stats[0]
	}
	switch e := event.(type) {
	case *stats.DelayedPickComplete: // the connection was not there yet
	case *stats.Begin:
		c.begun = true
		c.own = append(c.own, fmt.Sprintf("begin, retry %v, streams %v %v", e.IsTransparentRetryAttempt, e.IsClientStream, e.IsServerStream))
	case *stats.End:
		c.ended = true
		c.own = append(c.own, fmt.Sprintf("end, %v, trailer %v", outcomeOf(e.Error), describeMD(e.Trailer)))
	case *stats.OutHeader:
		c.own = append(c.own, "out header "+e.FullMethod+describeMD(without(e.Header, idKey)))
	case *stats.OutTrailer:
		c.own = append(c.own, "out trailer "+describeMD(e.Trailer))
	case *stats.OutPayload:
		c.out++
	case *stats.InPayload:
		c.in++
	case *stats.InHeader:
		c.arrivals = append(c.arrivals, "in header "+e.FullMethod+describeMD(without(e.Header, idKey)))
	case *stats.InTrailer:
		c.arrivals = append(c.arrivals, "in trailer "+describeMD(e.Trailer))
	}
}

// awaitStats waits for the end of a call that has begun: it comes after the handler has returned,
// and after the client was told.
func (r *run) awaitStats() {
	if !r.c.Stats {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 5000 {
		r.mu.Lock()
		over := true
		for _, c := range r.stats {
			over = over && c.begun == c.ended
		}
		r.mu.Unlock()
		if over {
			return
		}
		<-tick.C
	}
}

// describe tells what is compared. Of payloads it is by how many there are more or less than the
// program sent and received, as how many it did is compared elsewhere.
func (c *callStats) describe(end string, r *run) []string {
	lanes := r.rec.Client
	if end == "server" {
		lanes = r.rec.Handler
	}
	sent, got := 0, 0
	for _, l := range lanes {
		for _, e := range l.Events {
			switch e.Op {
			case Send:
				sent += e.Messages.count()
			case Recv, RecvAll, Echo:
				got += e.Messages.count()
			}
		}
	}
	if r.c.Kind == Unary {
		sent, got = 0, 0
	}
	if end == "server" && r.c.has(Echo) {
		sent = c.out // each is answered but for the last
	}
	var lines []string
	for _, s := range append(c.own, c.arrivals...) {
		lines = append(lines, end+" stats: "+s)
	}
	return append(lines, fmt.Sprintf("%s stats: %+d payloads out, %+d in", end, c.out-sent, c.in-got))
}
