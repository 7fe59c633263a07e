package load_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// gathering is a client that answers nobody before all have called.
type gathering struct {
	wrong
	missing *sync.WaitGroup
	closed  *atomic.Int32
}

func (g gathering) Unary(_ context.Context, data []byte) ([]byte, error) {
	g.missing.Done()
	g.missing.Wait()
	return data, nil
}

func (g gathering) Close() error {
	g.closed.Add(1)
	return nil
}

func TestHerdCallsTogetherOnFreshClients(t *testing.T) {
	const callers = 20
	var dialed, closed atomic.Int32
	dial := func(_ context.Context, n int) (peer.Client, error) {
		if n != callers {
			t.Errorf("a client for %d callers was asked for, want %d", n, callers)
		}
		dialed.Add(1)
		g := gathering{missing: &sync.WaitGroup{}, closed: &closed}
		g.missing.Add(callers)
		return g, nil
	}
	got, err := load.Run(t.Context(), load.Target{Dial: dial}, load.Spec{Kind: load.Herd, Size: 8, Callers: callers})
	if err != nil {
		t.Fatal(err)
	}
	if dialed.Load() == 0 || dialed.Load() != closed.Load() || got.Calls != callers*int(dialed.Load()) {
		t.Errorf("%d clients were made and %d closed, for %d calls of %d callers", dialed.Load(), closed.Load(), got.Calls, callers)
	}
	if got.P50 <= 0 || got.P99 < got.P50 || got.Max < got.P99 || got.Elapsed < got.Max {
		t.Errorf("times are %+v", got)
	}
}

func TestHerdFailsWithAnyOfIt(t *testing.T) {
	want := errors.New("one has failed")
	var calls atomic.Int32
	dial := func(context.Context, int) (peer.Client, error) { return failing{n: &calls, err: want}, nil }
	_, err := load.Run(t.Context(), load.Target{Dial: dial}, load.Spec{Kind: load.Herd, Size: 8, Callers: 5})
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// failing fails the third call.
type failing struct {
	wrong
	n   *atomic.Int32
	err error
}

func (f failing) Unary(_ context.Context, data []byte) ([]byte, error) {
	if f.n.Add(1) == 3 {
		return nil, f.err
	}
	return data, nil
}
