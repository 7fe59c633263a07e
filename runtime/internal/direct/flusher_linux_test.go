package direct

import (
	"testing"
)

// While the kernel has no room and the flusher has not begun yet, messages in quick succession do not try to
// write again and again.
func TestSmallMessagesDoNotTryAFullKernel(t *testing.T) {
	s, w := newSender(t, 0)
	tries, try := 0, s.conn.tryWrite
	s.conn.tryWrite = func(fd uintptr) bool {
		tries++
		return try(fd)
	}
	s.monitor.Lock()
	s.flusher = true // and the scheduler does not let it begin
	s.monitor.Unlock()
	const n, size = 10_000, 100
	for i := range n {
		if err := s.put(i, size, true); err != nil {
			t.Fatal(err)
		}
	}
	if s.size() == 0 {
		t.Fatal("the kernel has accepted everything")
	}
	if most := n / 100; tries > most {
		t.Errorf("%d messages led to %d writes, want at most %d", n, tries, most)
	}
	s.monitor.Lock()
	s.flusher = false
	s.startFlusher()
	s.monitor.Unlock()
	for range n {
		w.want('M')
	}
}

// As long as the flusher is at work, messages are left to it. One that answers another never is.
func TestMessagesAreLeftToAFlusherAtWork(t *testing.T) {
	t.Parallel()
	b := &batching{}
	if b.later(false) {
		t.Error("the first message is left to the flusher")
	}
	b.last = b.last.Add(-2 * batchWithin)
	if !b.later(true) {
		t.Error("the flusher is at work, and the message is not left to it")
	}
	if b.later(false) {
		t.Error("a message that comes alone is left to the flusher")
	}
	if b.receives(); b.later(true) {
		t.Error("an answer is left to the flusher")
	}
}

// What is left to the flusher counts for the budget, but for a little of each stream.
func TestBudgetCountsWhatIsLeftToTheFlusher(t *testing.T) {
	s, w := newSender(t, 0)
	s.monitor.Lock()
	s.flusher = true // and the scheduler does not let it begin
	s.monitor.Unlock()
	for i := range 300 {
		if err := s.put(i, 100, true); err != nil {
			t.Fatal(err)
		}
		if missing := int64(s.size()) - s.budget.used.Load(); missing < 0 || missing >= chargeAt {
			t.Fatalf("the budget misses %d bytes of the stream, want less than %d", missing, chargeAt)
		}
	}
	s.monitor.Lock()
	s.flusher = false
	s.startFlusher()
	s.monitor.Unlock()
	for range 300 {
		w.want('M')
	}
}
