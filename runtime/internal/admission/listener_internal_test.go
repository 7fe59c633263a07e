package admission

import (
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// A service manager's listener is withdrawn with a deadline, and others by closing them.
func TestEndOfAcceptingIsNoFailure(t *testing.T) {
	t.Parallel()
	var reports []bool
	a := New(Config{NotAccepted: func(err error, report bool) {
		if err != syscall.EMFILE {
			t.Errorf("%v is reported", err)
		}
		reports = append(reports, report)
	}})
	for _, err := range []error{net.ErrClosed, os.ErrDeadlineExceeded, syscall.EMFILE, syscall.EMFILE} {
		a.notAccepted(err)
	}
	if want := []bool{true, false}; !slices.Equal(reports, want) {
		t.Errorf("of two failures in a row are to be reported %v, want %v", reports, want)
	}
}

func TestTroubleThatGoesOnIsReportedNowAndThen(t *testing.T) {
	t.Parallel()
	var reports throttle
	start := time.Now()
	for _, at := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {reportPause, false}, {reportPause + 1, true}, {2 * reportPause, false}, {3 * reportPause, true}} {
		if got := reports.allow(start.Add(at.after)); got != at.want {
			t.Errorf("after %v it is %v that it is to be reported", at.after, got)
		}
	}
}
