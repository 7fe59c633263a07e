package openfile_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

func TestServerClosesWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	user := openfile.NewQuota(10, nil)
	intake := openfile.NewServerIntake(openfile.NewQuota(10, user))
	takes, closes, leaves, late := open(t), open(t), open(t), open(t)
	if !intake.Arrived(4) {
		t.Fatal("four of ten are too many")
	}
	taken, err := openfile.Receive(takes, intake).Take()
	if err != nil {
		t.Fatal(err)
	}
	if err := openfile.Receive(closes, intake).Close(); err != nil {
		t.Fatal(err)
	}
	left := openfile.Receive(leaves, intake)
	if user.Used() != 2 {
		t.Errorf("%d files count, want the one that was left and the one that is not received yet", user.Used())
	}
	intake.End()
	openfile.Receive(late, intake)
	if !isOpen(taken) || isOpen(closes) || isOpen(leaves) || isOpen(late) {
		t.Errorf("open are: taken %t, closed %t, left %t, late %t", isOpen(taken), isOpen(closes), isOpen(leaves), isOpen(late))
	}
	if _, err := left.Take(); err == nil || err.Error() != "the open file was taken or closed before" {
		t.Errorf("Take after the call: got the error %v", err)
	}
	if user.Used() != 0 {
		t.Errorf("%d files still count", user.Used())
	}
}

func TestClientLeavesFilesToTheirMessages(t *testing.T) {
	t.Parallel()
	quota := openfile.NewQuota(10, nil)
	intake := openfile.NewClientIntake(quota)
	if !intake.Arrived(2) {
		t.Fatal("two of ten are too many")
	}
	kept := openfile.Receive(open(t), intake)
	openfile.Receive(open(t), intake)
	intake.End()
	collect(t, "the file that was forgotten counts", func() bool { return quota.Used() == 1 })
	f, err := kept.Take()
	if err != nil || !isOpen(f) {
		t.Fatalf("got the error %v", err)
	}
	if quota.Used() != 0 {
		t.Errorf("%d files still count", quota.Used())
	}
}

func TestFileThatWasTakenDoesNotCountOutAgain(t *testing.T) {
	t.Parallel()
	quota := openfile.NewQuota(101, nil)
	intake := openfile.NewClientIntake(quota)
	if !intake.Arrived(101) {
		t.Fatal("101 of 101 are too many")
	}
	if _, err := openfile.Receive(open(t), intake).Take(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // they are collected no earlier
		openfile.Receive(open(t), intake)
	}
	collect(t, "files that were forgotten count", func() bool { return quota.Used() <= 0 })
	if quota.Used() != 0 {
		t.Errorf("%d files count", quota.Used())
	}
}

// collect collects garbage until done.
func collect(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("in spite of the garbage collector, " + what)
		}
		runtime.GC()
	}
}

func TestFileCountsOutOnce(t *testing.T) {
	t.Parallel()
	for range 100 {
		quota := openfile.NewQuota(1, nil)
		intake := openfile.NewServerIntake(quota)
		intake.Arrived(1)
		h := openfile.Receive(open(t), intake)
		var all sync.WaitGroup
		all.Go(func() { h.Take() })
		all.Go(func() { h.Close() })
		all.Go(intake.End)
		all.Wait()
		if quota.Used() != 0 {
			t.Fatalf("%d files count", quota.Used())
		}
	}
}

func TestQuotaTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	user := openfile.NewQuota(5, nil)
	first := openfile.NewServerIntake(openfile.NewQuota(3, user))
	second := openfile.NewServerIntake(openfile.NewQuota(3, user))
	for _, step := range []struct {
		intake *openfile.Intake
		n      int
		want   bool
		used   int
	}{
		{first, 4, false, 0}, {first, 3, true, 3}, {first, 1, false, 3}, {second, 3, false, 3}, {second, 2, true, 5}, {second, 1, false, 5},
	} {
		if got := step.intake.Arrived(step.n); got != step.want || user.Used() != step.used {
			t.Fatalf("%d more: got %t and %d in all, want %t and %d", step.n, got, user.Used(), step.want, step.used)
		}
	}
	first.Dropped(3)
	if !second.Arrived(1) || user.Used() != 3 {
		t.Errorf("after three went: %d count", user.Used())
	}
}

func TestWithoutIntakeNothingCounts(t *testing.T) {
	t.Parallel()
	var intake *openfile.Intake
	if !intake.Arrived(1000) {
		t.Error("1,000 were too many")
	}
	intake.Dropped(1)
	h := openfile.Receive(open(t), intake)
	intake.End()
	if f, err := h.Take(); err != nil || !isOpen(f) {
		t.Errorf("got the error %v", err)
	}
}
