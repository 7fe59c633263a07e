package direct

import (
	"sync"
	"sync/atomic"
)

// defaultBudget is how many bytes may wait in all streams of a client or a server.
const defaultBudget = 64 << 20

// chargeAt is how many bytes of a stream that the flusher has not written yet may be missing in its budget.
const chargeAt = 4 << 10

// budget caps the memory of the queues of all streams of one client or one server. It is checked before a
// message is accepted and charged afterwards, as grpc-go does with the window of a stream. So each stream
// can exceed it by one message.
type budget struct {
	max    int64
	used   atomic.Int64
	waited atomic.Int64 // how often Send has waited for it

	wanted atomic.Bool // a Send waits; set before the last look at used
	mu     sync.Mutex
	room   chan struct{} // closed when the budget is no longer full; nil if no Send waits; guarded by mu
}

func newBudget(max int64) *budget {
	if max == 0 {
		max = defaultBudget
	}
	return &budget{max: max}
}

func (b *budget) full() bool { return b.used.Load() >= b.max }

// charge adds n bytes; a negative n gives them back.
func (b *budget) charge(n int) {
	now := b.used.Add(int64(n))
	if n > 0 || now >= b.max || !b.wanted.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted.Store(false)
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// whenRoom returns a channel that is closed when there is room, or nil if there is room now.
func (b *budget) whenRoom() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted.Store(true)
	if !b.full() {
		return nil
	}
	if b.room == nil {
		b.room = make(chan struct{})
	}
	return b.room
}
