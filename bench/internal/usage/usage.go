// Package usage tells what a process has used.
package usage

import (
	"runtime"
	"time"
)

// Usage is what this process has used since it began, or holds now.
type Usage struct {
	CPU     time.Duration // user and system
	Mallocs uint64        // objects allocated
	Heap    uint64        // bytes in use by the heap and the stacks
	RSS     uint64        // bytes that the kernel counts
	FDs     int           // open file descriptors
}

// Now reads the counters of this process. With settle it collects garbage first, twice, as what
// lies in a sync.Pool survives one collection.
func Now(settle bool) (Usage, error) {
	if settle {
		runtime.GC()
		runtime.GC()
	}
	u, err := kernel()
	if err != nil {
		return Usage{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Mallocs = m.Mallocs
	u.Heap = m.HeapInuse + m.StackInuse
	return u, nil
}

// Cost is what two processes, or one over some time, have spent.
type Cost struct {
	CPU     time.Duration
	Mallocs uint64
}

// Since returns what was spent between two readings of one process.
func (u Usage) Since(before Usage) Cost {
	return Cost{CPU: u.CPU - before.CPU, Mallocs: u.Mallocs - before.Mallocs}
}

// Plus adds what another process has spent.
func (c Cost) Plus(other Cost) Cost {
	return Cost{CPU: c.CPU + other.CPU, Mallocs: c.Mallocs + other.Mallocs}
}
