package inspect

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// stream keeps when responses are sent.
type stream struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan sent
}

type sent struct {
	at      time.Time
	dropped uint64
}

func (s stream) Context() context.Context     { return s.ctx }
func (s stream) SendHeader(metadata.MD) error { return nil }
func (s stream) Send(resp *inspectv1.CallsResponse) error {
	s.sent <- sent{time.Now(), resp.GetDropped()}
	return nil
}

// A lonely call is told at once. Those that come often are told together, and where they are too many, more of
// them.
func TestResponsesAreFewerWhereCallsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := stream{ctx: ctx, sent: make(chan sent)}
		i := New(Config{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			viewer{Inspection: i}.Calls(&inspectv1.CallsRequest{}, s)
		}()
		synctest.Wait()
		tap := (*i.taps.all.Load())[0]
		tell := func() { tap.tell([]byte("call")) }
		drop := func() {
			tap.room.Store(0)
			tap.admits()
		}
		before := time.Now()
		for n, step := range []struct {
			happens func()
			dropped uint64
			after   time.Duration // since the response before it
		}{
			{tell, 0, 0},
			{tell, 0, shortPause},
			{drop, 1, shortPause},
			{drop, 1, longPause},
			{tell, 0, longPause},
			{tell, 0, shortPause},
		} {
			step.happens()
			got := <-s.sent
			if after := got.at.Sub(before); after != step.after || got.dropped != step.dropped {
				t.Errorf("response %d comes after %v, with %d dropped; want after %v with %d", n, after, got.dropped, step.after, step.dropped)
			}
			before = got.at
		}
		cancel()
		<-ended
		i.Stop()
	})
}
