package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

func snapshotOf(t *testing.T, c *counting) *inspectv1.SnapshotsResponse {
	t.Helper()
	i := New(Config{
		Totals:      func() *inspectv1.Totals { return nil },
		Connections: func() *inspectv1.Connections { return nil },
	})
	s := i.snapshot(c)
	if _, err := proto.Marshal(s); err != nil {
		t.Errorf("viewers get nothing: %v", err)
	}
	return s
}

// Clients choose the names of methods where a server takes any.
func TestNamesThatClientsChooseAreLimited(t *testing.T) {
	t.Parallel()
	c := newCounting()
	for _, name := range []string{strings.Repeat("x", maxName+1), "/\xff\xfe", ""} {
		call := c.begin(name, Caller{UID: -1})
		call.end(nil)
	}
	for _, m := range snapshotOf(t, c).GetMethods() {
		if len(m.GetName()) > maxName {
			t.Errorf("a name of %d bytes is told", len(m.GetName()))
		}
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for n := range maxEntries {
				call := c.begin(fmt.Sprintf("/any/%d-%d", worker, n), Caller{UID: worker, PID: n + 1})
				call.end(nil)
			}
		})
	}
	all.Wait()
	s := snapshotOf(t, c)
	started := uint64(0)
	for _, m := range s.GetMethods() {
		started += m.GetStarted()
	}
	byClients := uint64(0)
	for _, client := range s.GetClients() {
		byClients += client.GetEnded()
	}
	if want := uint64(4*maxEntries + 3); started != want || byClients != want {
		t.Errorf("%d and %d calls are told of, want %d", started, byClients, want)
	}
	if n := len(s.GetMethods()); n < maxEntries || n > maxEntries+8 {
		t.Errorf("there are %d methods", n)
	}
	if n := len(s.GetClients()); n < maxEntries || n > maxEntries+8 {
		t.Errorf("there are %d clients", n)
	}
}

func TestClientsThatHaveGoneQuietAreForgotten(t *testing.T) {
	t.Parallel()
	c := newCounting()
	over, open := c.begin("/m", Caller{PID: 1}), c.begin("/m", Caller{PID: 2})
	over.end(nil)
	c.forget(time.Now().Add(forgetAfter / 2))
	if n := c.clients.count.Load(); n != 2 {
		t.Errorf("%d clients are left after half of the time", n)
	}
	c.forget(time.Now().Add(2 * forgetAfter))
	if n := c.clients.count.Load(); n != 1 {
		t.Errorf("%d clients are left, want the one with a call", n)
	}
	open.end(nil)
	c.forget(time.Now().Add(2 * forgetAfter))
	if n := c.clients.count.Load(); n != 0 {
		t.Errorf("%d clients are left", n)
	}
}

func TestCallAllocatesNothingWhoeverLooks(t *testing.T) {
	i := New(Config{Caller: func(context.Context) Caller { return Caller{UID: 1000, PID: 1000} }})
	handle := func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) { return nil, nil }
	call := i.countUnary("/s/m", handle)
	ctx := context.Background()
	for _, who := range []string{"nobody", "somebody"} {
		if n := testing.AllocsPerRun(100, func() { call(nil, ctx, nil, nil) }); n != 0 {
			t.Errorf("while %s looks, a call allocates %v times", who, n)
		}
		i.enter()
	}
}

func TestNothingIsCountedWithoutViewers(t *testing.T) {
	t.Parallel()
	i := New(Config{})
	i.enter()
	i.enter()
	i.leave()
	if i.counting.Load() == nil {
		t.Error("nothing is counted for the second viewer")
	}
	i.leave()
	if i.counting.Load() != nil {
		t.Error("calls are still counted when the last viewer has left")
	}
}

func TestCodesAreThoseThatGRPCMakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want codes.Code
	}{
		{nil, codes.OK},
		{errors.New("odd"), codes.Unknown},
		{context.Canceled, codes.Canceled},
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), codes.DeadlineExceeded},
		{status.Error(codes.NotFound, ""), codes.NotFound},
		{status.Error(4711, ""), codes.Unknown},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("the code of %v is %v, want %v", c.err, got, c.want)
		}
	}
}
