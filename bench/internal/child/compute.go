package child

import (
	"sync"
	"sync/atomic"
)

// compute is other work of the machine: goroutines that use the processor and nothing else.
type compute struct {
	done    atomic.Bool
	threads sync.WaitGroup
}

func (c *compute) start(threads int) {
	for range threads {
		c.threads.Go(func() {
			for !c.done.Load() {
			}
		})
	}
}

func (c *compute) stop() {
	c.done.Store(true)
	c.threads.Wait()
}
