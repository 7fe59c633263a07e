package runtime

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"
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

func TestTroubleThatGoesOnIsLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	var c complaints
	start := time.Now()
	for _, at := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {complaintPause, false}, {complaintPause + 1, true}, {2 * complaintPause, false}, {3 * complaintPause, true}} {
		if got := c.due(start.Add(at.after)); got != at.want {
			t.Errorf("after %v it is %v that it is to be logged", at.after, got)
		}
	}
}
