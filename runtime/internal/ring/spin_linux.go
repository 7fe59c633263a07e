package ring

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Spinners are the goroutines of one client, or of one server, that look again and again whether there is something
// to read, instead of sleeping. All its connections share them.
type Spinners struct {
	running atomic.Int32
}

// NewSpinners returns an object for the connections of one client or server.
func NewSpinners() *Spinners { return &Spinners{} }

// Worthwhile reports whether rings are faster than the socket here: not where the process may use one core only.
func (s *Spinners) Worthwhile() bool { return true }

// history says whether spinning has helped.
type history struct{}

// spin looks for a while whether ready is true.
func (s *Spinners) spin(h *history, ready func() bool) bool {
	begin := time.Now()
	for {
		for range 4 {
			if ready() {
				return true
			}
			runtime.Gosched()
		}
		if time.Since(begin) > 20*time.Microsecond {
			return ready()
		}
	}
}
