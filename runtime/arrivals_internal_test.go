package runtime

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// A service manager's listener is withdrawn with a deadline, and others by closing them.
func TestEndOfAcceptingIsNoFailure(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int64{net.ErrClosed: 0, os.ErrDeadlineExceeded: 0, syscall.EMFILE: 1} {
		s := &Server{config: &serverConfig{counters: &serverCounters{}}}
		s.notAccepted(err)
		if got := s.Stats().NotAccepted; got != want {
			t.Errorf("%v counts %d times, want %d", err, got, want)
		}
	}
}
