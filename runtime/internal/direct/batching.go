package direct

import (
	"sync/atomic"
	"time"
)

// batchWithin is how soon after a message the next one of a stream must follow for both to be written
// together. It is many times what sending one takes, and too short for anybody to notice.
const batchWithin = 100 * time.Microsecond

// batching decides which messages of a stream are written at once, and which together with those that
// follow. A message that answers another, or that comes alone, is written at once. In quick succession the
// first message is, and the others are left to the flusher.
type batching struct {
	last     time.Time   // when the last message was sent while the flusher was not at work; used by the sending goroutine alone
	received atomic.Bool // a message was received since
}

// later reports whether the message that is about to be sent can be left to the flusher. If that is at work,
// messages follow each other quickly, and nobody has to look at the clock.
func (b *batching) later(flusher bool) bool {
	received := b.received.Load()
	if received {
		b.received.Store(false)
	} else if flusher {
		return true
	}
	now := time.Now()
	later := !received && now.Sub(b.last) < batchWithin
	b.last = now
	return later
}

// receives is called when a message is received.
func (b *batching) receives() {
	if !b.received.Load() {
		b.received.Store(true)
	}
}
