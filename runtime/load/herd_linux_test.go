package load_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A herd is many goroutines that call through one client at the same moment: when it is fresh, and when
// its server is replaced. Each has to be answered about as soon as over HTTP/2, and before a deadline that
// leaves time enough.
const (
	herdSize     = 800
	herdDeadline = time.Second

	// Besides twice the time over HTTP/2, what any machine may lose meanwhile.
	herdFloor = 250 * time.Millisecond
)

// herd is what became of the calls of a herd.
type herd struct {
	slowest time.Duration
	failed  int
	first   error // one of those that failed
}

func (h *herd) add(other herd) {
	h.slowest = max(h.slowest, other.slowest)
	h.failed += other.failed
	if h.first == nil {
		h.first = other.first
	}
}

// call makes a call with the deadline of a herd and returns which process has answered.
func (h *herd) call(client greeterv1.GreeterClient) (pid int) {
	ctx, cancel := context.WithTimeout(context.Background(), herdDeadline)
	defer cancel()
	begin := time.Now()
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	h.slowest = max(h.slowest, time.Since(begin))
	if err != nil {
		h.failed++
		h.first = err
	}
	return int(resp.GetServerPid())
}

// together lets as many goroutines as a herd has begin at the same moment, and returns what became of all.
func together(each func(*herd)) herd {
	callers := make([]herd, herdSize)
	var running sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		running.Go(func() {
			<-start
			each(&callers[i])
		})
	}
	close(start)
	running.Wait()
	var all herd
	for _, c := range callers {
		all.add(c)
	}
	return all
}

func TestHerdOnAFreshClient(t *testing.T) {
	path := fixture.FreePath(t)
	greetertest.StartSuccessor(t, path).Serve(t) // nobody is there yet: it just listens
	checkHerds(t, 5, func(t *testing.T, opts ...runtime.DialOption) herd {
		client, conn := greetertest.Dial(t, path, opts...)
		defer conn.Close()
		return together(func(h *herd) { h.call(client) })
	})
}

// Each goroutine calls again and again until the successor has answered it.
func TestHerdWhenTheServerIsReplaced(t *testing.T) {
	path := fixture.FreePath(t)
	owner := greetertest.StartSuccessor(t, path)
	owner.Serve(t)
	checkHerds(t, 3, func(t *testing.T, opts ...runtime.DialOption) herd {
		client, conn := greetertest.Dial(t, path, opts...)
		defer conn.Close()
		var answered sync.WaitGroup // each goroutine once, so that there is a herd when the server goes
		answered.Add(herdSize)
		var successor atomic.Int64
		done := make(chan herd)
		go func() {
			done <- together(func(h *herd) {
				for first := true; ; first = false {
					pid := h.call(client)
					if first {
						answered.Done()
					}
					if h.failed > 0 || pid == int(successor.Load()) {
						return
					}
				}
			})
		}()
		answered.Wait()
		next := greetertest.StartSuccessor(t, path)
		successor.Store(int64(next.Cmd.Process.Pid))
		next.Serve(t)
		if err := owner.WaitExit(); err != nil {
			t.Errorf("the former owner ended with %v", err)
		}
		owner = next
		return <-done
	})
}

// checkHerds compares herds over the direct transport with herds over HTTP/2, in turns.
func checkHerds(t *testing.T, rounds int, run func(*testing.T, ...runtime.DialOption) herd) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector makes a herd too slow for its deadline, over HTTP/2 too")
	}
	var direct, http2 herd
	for range rounds {
		http2.add(run(t, runtime.WithHTTP2Only()))
		direct.add(run(t))
	}
	t.Logf("the slowest of %d calls that began together: %v over direct, %v over HTTP/2; failed: %d and %d of %d herds",
		herdSize, direct.slowest, http2.slowest, direct.failed, http2.failed, rounds)
	if http2.failed > 0 {
		t.Skipf("this machine is too slow now: calls fail over HTTP/2, too: %v", errors.Join(http2.first, direct.first))
	}
	if direct.failed > 0 {
		t.Errorf("%d calls failed over direct, none over HTTP/2: %v", direct.failed, direct.first)
	}
	if limit := 2*http2.slowest + herdFloor; direct.slowest > limit {
		t.Errorf("the slowest call took %v over direct, at most %v is allowed with %v over HTTP/2", direct.slowest, limit, http2.slowest)
	}
}
