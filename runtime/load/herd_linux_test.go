package load_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A herd is many goroutines that call through one client at the same moment: when it is fresh, and when
// its server is replaced. None may wait much longer than over HTTP/2, or miss a deadline that leaves time
// enough.
const (
	herdSize     = 800
	herdDeadline = 5 * time.Second

	// A herd takes some 100 ms over either transport, and 500 ms on a machine that is very busy. It takes
	// ten seconds if the callers hold each other up.
	herdFactor = 8 // times as long as over HTTP/2 is allowed, and
	herdFloor  = time.Second
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
	checkHerds(t, func(t *testing.T, opts ...runtime.DialOption) herd {
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
	checkHerds(t, func(t *testing.T, opts ...runtime.DialOption) herd {
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

// checkHerds compares herds over the direct transport with herds over HTTP/2, in turns. What is slow in
// one round may be the machine; what is slow in most rounds is the transport.
func checkHerds(t *testing.T, run func(*testing.T, ...runtime.DialOption) herd) {
	t.Helper()
	if fixture.RaceDetector {
		t.Skip("the race detector makes a herd too slow for its deadline, over HTTP/2 too")
	}
	var direct, http2 [3]herd
	for i := range direct {
		http2[i] = run(t, runtime.WithHTTP2Only())
		direct[i] = run(t)
		if err := direct[i].first; err != nil && status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a call failed over direct, and not for want of time: %v", err)
		}
	}
	slow, fast := median(direct[:]), median(http2[:])
	t.Logf("in the median of %d herds of %d calls the slowest took %v over direct, %v over HTTP/2; %d and %d calls failed",
		len(direct), herdSize, slow.slowest, fast.slowest, slow.failed, fast.failed)
	if fast.failed > 0 {
		t.Skipf("this machine is too slow now: calls fail over HTTP/2, too: %v", errors.Join(fast.first, slow.first))
	}
	if slow.failed > 0 {
		t.Errorf("most herds had calls that failed over direct, not over HTTP/2: in the median %d: %v", slow.failed, slow.first)
	}
	if limit := herdFactor*fast.slowest + herdFloor; slow.slowest > limit {
		t.Errorf("the slowest call took %v over direct, at most %v is allowed with %v over HTTP/2", slow.slowest, limit, fast.slowest)
	}
}

// median returns the herd in the middle, by the calls that failed and then by the slowest one.
func median(herds []herd) herd {
	slices.SortFunc(herds, func(a, b herd) int {
		return cmp.Or(cmp.Compare(a.failed, b.failed), cmp.Compare(a.slowest, b.slowest))
	})
	return herds[len(herds)/2]
}
