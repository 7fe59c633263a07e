package direct

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/stats"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// tagger is a stats handler that blocks when a connection is announced to it, and counts.
type tagger struct {
	statsFuncs
	tagged, release chan struct{}
	begun, ended    atomic.Int32
}

func (h *tagger) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	h.tagged <- struct{}{}
	<-h.release
	return ctx
}

func (h *tagger) HandleConn(_ context.Context, e stats.ConnStats) {
	switch e.(type) {
	case *stats.ConnBegin:
		h.begun.Add(1)
	case *stats.ConnEnd:
		h.ended.Add(1)
	}
}

// A stats handler sees the end of each connection whose beginning it saw, even if a Stop comes in between.
func TestConnectionsThatBeginEnd(t *testing.T) {
	for name, stop := range map[string]bool{"stopped while it begins": true, "closed by the client": false} {
		t.Run(name, func(t *testing.T) {
			events := &tagger{tagged: make(chan struct{}, 1), release: make(chan struct{})}
			h := newHost(t, service{}, ServerConfig{Stats: handlers{events}})
			client, server := pair(t)
			h.accept(server)
			w := newRawConn(t, client)
			w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil), frame(wire.KindIntro, 0))
			await(t, "the connection", events.tagged)
			if stop {
				h.Stop()
			} else {
				client.Close()
			}
			close(events.release)
			await(t, "Serve", h.errs)
			h.runs.Wait()
			if events.begun.Load() != events.ended.Load() {
				t.Errorf("%d connections have begun and %d ended", events.begun.Load(), events.ended.Load())
			}
		})
	}
}

// Stop may come at any time, also while connections begin.
func TestStopWhileConnectionsBegin(t *testing.T) {
	for range 50 {
		h := newHost(t, service{}, ServerConfig{})
		for range 4 {
			client, server := pair(t)
			h.accept(server)
			w := newRawConn(t, client)
			w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil), frame(wire.KindIntro, 0))
			if _, err := io.CopyN(io.Discard, w.in, int64(wire.AnswerLen)); err != nil {
				t.Fatal(err)
			}
		}
		h.Stop()
		for range 4 {
			if err := await(t, "Serve", h.errs); err != nil {
				t.Error(err)
			}
		}
	}
}

// A stats handler may call anything, such as counting the remaining connections.
func TestEndOfAConnectionIsToldWithoutALock(t *testing.T) {
	for name, end := range map[string]func(c *Client){
		"flush": func(c *Client) { c.pool.closeIdle() },
		"sweep": func(c *Client) {
			c.pool.sweepIdle() // they were used
			c.pool.sweepIdle()
		},
		"close": func(c *Client) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{})
			s := newSite(t, h.accept)
			left := make(chan int, 10)
			var c *Client
			c = NewClient(ClientConfig{Dial: s.dial, MaxConns: 10, Stats: handlers{statsFuncs{conn: func(e stats.ConnStats) {
				if _, ok := e.(*stats.ConnEnd); ok {
					n, _ := c.pool.size()
					left <- n
				}
			}}}})
			defer c.Close()
			fillPool(t, c, 3)
			done := make(chan struct{})
			go func() {
				defer close(done)
				end(c)
			}()
			await(t, "the end of the connections", done)
			for range 3 {
				if n := <-left; n != 0 {
					t.Errorf("%d connections are left", n)
				}
			}
		})
	}
}
