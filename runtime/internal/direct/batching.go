package direct

import (
	"sync/atomic"
	"time"
)

// together is how soon after a message the next one of a stream must follow for both to be written
// together. It is many times what sending one takes, and too short for anybody to notice.
const together = 100 * time.Microsecond

// pacing decides which messages of a stream are written at once. A message that answers another, or that
// comes alone, is written at once. In quick succession the first message is, and the others are left to
// the flusher.
type pacing struct {
	last     time.Time   // when the last message was sent; used by the sending goroutine alone
	received atomic.Bool // a message was received since
}

// soon reports whether the message that is about to be sent can be left to the flusher.
func (p *pacing) soon() bool {
	now := time.Now()
	soon := !p.received.Load() && now.Sub(p.last) < together
	p.received.Store(false)
	p.last = now
	return soon
}
