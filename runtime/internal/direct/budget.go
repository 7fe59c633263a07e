package direct

import (
	"sync"
	"sync/atomic"
)

// defaultBudget is how many bytes all streams of a client, or of a server, may have waiting.
const defaultBudget = 64 << 20

// budget caps the memory for what waits in the queues of all streams of one client or one server. It
// is asked before a message is accepted and charged afterwards, as it is in grpc-go for the window of
// one stream, so it can be exceeded by one message of each stream.
type budget struct {
	max    int64
	used   atomic.Int64
	waited atomic.Int64 // how often Send has waited for it

	wanted atomic.Bool // somebody waits; set before the last look at used
	mu     sync.Mutex
	room   chan struct{} // closed when the budget is not full any more; nil if nobody waits; guarded by mu
}

func newBudget(max int64) *budget {
	if max == 0 {
		max = defaultBudget
	}
	return &budget{max: max}
}

func (b *budget) full() bool { return b.used.Load() >= b.max }

// charge adds n bytes, or gives them back if n is negative.
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

// whenRoom returns what is closed when there is room. If there is, it returns nil.
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
