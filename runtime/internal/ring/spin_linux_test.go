package ring_test

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// timersRole prints how late timers are while it echoes with another process: the median and the 99th percentile.
func timersRole(args []string) {
	const conns = 2
	p, err := startProcess("echo", conns, args[0], fmt.Sprint(conns), "64")
	if err != nil {
		panic(err)
	}
	spinners := ring.NewSpinners()
	var stop atomic.Bool
	var busy sync.WaitGroup
	for i := range conns {
		e := p.end(nil, i, spinners)
		busy.Go(func() {
			defer e.close()
			for b := make([]byte, 64); !stop.Load(); {
				var err error
				if args[0] == "raw" {
					e.socket.Write(b)
					_, err = io.ReadFull(e.socket, b)
				} else {
					e.writeOut(b)
					_, err = io.ReadFull(e, b)
				}
				if err != nil {
					panic(err)
				}
			}
		})
	}
	var late []time.Duration
	for range 300 {
		begin := time.Now()
		<-time.NewTimer(time.Millisecond).C
		late = append(late, time.Since(begin)-time.Millisecond)
	}
	stop.Store(true)
	busy.Wait()
	slices.Sort(late)
	fmt.Print(late[len(late)/2].Nanoseconds(), " ", late[len(late)*99/100].Nanoseconds())
}

// Without the places where a spinning goroutine lets others run, a timer waits here for Go's own preemption, after 10
// ms.
func TestSpinningLetsTimersRun(t *testing.T) {
	for _, procs := range []string{"1", "2"} {
		t.Run("GOMAXPROCS="+procs, func(t *testing.T) {
			measure := func(kind string) (median, p99 time.Duration) {
				c := command("timers", kind)
				c.Env, c.Stdout = append(c.Env, "GOMAXPROCS="+procs), nil
				out, err := c.Output()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := fmt.Sscan(string(out), &median, &p99); err != nil {
					t.Fatal(err)
				}
				return median, p99
			}
			for range 5 { // as the machine may be busy
				raw, rawP99 := measure("raw")
				spinning, p99 := measure("ring")
				t.Logf("timers are late by %v, 99th percentile %v; without spinning by %v, %v", spinning, p99, raw, rawP99)
				if spinning < 3*raw+3*time.Millisecond {
					return
				}
			}
			t.Error("timers are late")
		})
	}
}
