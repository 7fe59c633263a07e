package difftest_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/difftest"
)

var (
	seedFlag    = flag.Uint64("difftest.seed", 0, "run the case of this seed alone")
	forFlag     = flag.Duration("difftest.for", 0, "run random cases for as long as this")
	casesFlag   = flag.Int("difftest.cases", 100, "how many cases of known seeds to run, without -difftest.for")
	subjectFlag = flag.String("difftest.subject", "direct", "what to compare with grpc-go: direct, http2, or plain for grpc-go itself")
	triesFlag   = flag.Int("difftest.tries", 50, "how often grpc-go may run a case until it comes out the same")
	workersFlag = flag.Int("difftest.workers", 2*runtime.GOMAXPROCS(0), "how many cases run at a time")
	faultsFlag  = flag.Int("difftest.faults", 5, "stop after so many cases that failed")
)

func TestDifferential(t *testing.T) {
	subject, ok := map[string]difftest.Transport{"direct": difftest.Direct(), "http2": difftest.HTTP2(), "plain": difftest.Plain()}[*subjectFlag]
	if !ok {
		t.Fatalf("-difftest.subject=%s: give direct, http2 or plain", *subjectFlag)
	}
	if *seedFlag != 0 {
		k := difftest.Checker{Subject: subject, Tries: *triesFlag}
		defer k.Close()
		if wrong := k.Check(difftest.New(*seedFlag)); wrong != "" {
			t.Error(wrong)
		}
		t.Log(k.Summary)
		return
	}

	first := rand.Uint64() >> 1 // room for those that follow
	t.Logf("the random seed is %d", first)
	end := time.Now().Add(*forFlag)
	var next atomic.Uint64
	seeds := func() (seed uint64, ok bool) { // the next, until it is enough
		n := next.Add(1)
		switch {
		case *forFlag > 0:
			return first + n, time.Now().Before(end)
		case n > uint64(*casesFlag):
			return first, n == uint64(*casesFlag)+1
		default:
			return n, true
		}
	}

	var mu sync.Mutex
	var sum difftest.Summary // guarded by mu
	faults := 0              // guarded by mu
	reported := time.Now()   // guarded by mu
	var workers sync.WaitGroup
	for range *workersFlag {
		workers.Go(func() {
			k := difftest.Checker{Subject: subject, Tries: *triesFlag}
			if *forFlag == 0 {
				k.Sure = 3 // a short run must not fail for what the machine does besides
			}
			defer k.Close()
			for {
				seed, ok := seeds()
				if !ok {
					return
				}
				k.Summary = difftest.Summary{}
				wrong := k.Check(difftest.New(seed))
				mu.Lock()
				sum.Add(k.Summary)
				if wrong != "" {
					faults++
					t.Errorf("run again with -difftest.seed=%d\n%s", seed, wrong)
				}
				if time.Since(reported) > time.Minute {
					reported = time.Now()
					t.Log(sum)
				}
				enough := faults >= *faultsFlag
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	workers.Wait()
	t.Log(sum)
}
