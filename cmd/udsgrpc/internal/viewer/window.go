package viewer

import (
	"time"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// Window has the latest snapshots.
type Window struct {
	Length    time.Duration // how far to look back; at least to the snapshot before
	snapshots []*inspectv1.SnapshotsResponse
}

// follows reports whether both snapshots are of one counting.
func follows(now, then *inspectv1.SnapshotsResponse) bool {
	return now.GetServer().GetPid() == then.GetServer().GetPid() && now.GetSince().AsTime().Equal(then.GetSince().AsTime())
}

// Add adds a snapshot, and returns what has happened in the window up to it.
func (w *Window) Add(s *inspectv1.SnapshotsResponse) *Difference {
	if n := len(w.snapshots); n > 0 && !follows(s, w.snapshots[n-1]) {
		w.snapshots = nil
	}
	start := s.GetTime().AsTime().Add(-w.Length - w.Length/8) // as snapshots do not come at the very moment
	for len(w.snapshots) > 1 && w.snapshots[0].GetTime().AsTime().Before(start) {
		w.snapshots = w.snapshots[1:]
	}
	var then *inspectv1.SnapshotsResponse
	if len(w.snapshots) > 0 {
		then = w.snapshots[0]
	}
	w.snapshots = append(w.snapshots, s)
	return Between(then, s)
}
