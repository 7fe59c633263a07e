//go:build unix

package openfile_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

func TestDuplicateIsOfTheSameFileAndStaysHere(t *testing.T) {
	t.Parallel()
	f := open(t)
	fd, err := openfile.Duplicate(f)
	if err != nil {
		t.Fatal(err)
	}
	defer openfile.CloseDescriptor(fd)
	var of, duplicate unix.Stat_t
	if err := unix.Fstat(fd, &duplicate); err != nil {
		t.Fatal(err)
	}
	if err := openfile.Control(f, func(fd uintptr) { err = unix.Fstat(int(fd), &of) }); err != nil {
		t.Fatal(err)
	}
	if err != nil || of.Ino != duplicate.Ino || of.Dev != duplicate.Dev {
		t.Errorf("got inode %d, want %d, error %v", duplicate.Ino, of.Ino, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("got flags %#x and the error %v, want close-on-exec", flags, err)
	}
}

func TestNothingIsDuplicatedOfAClosedFile(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.Close()
	if fd, err := openfile.Duplicate(f); err == nil || err.Error() != "the file is closed" || fd != -1 {
		t.Errorf("got %d and the error %v", fd, err)
	}
}

func TestSendingLeavesAPipeNonblocking(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	nonblocking := func() (on bool) {
		if err := openfile.Control(w, func(fd uintptr) {
			flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
			on = err == nil && flags&unix.O_NONBLOCK != 0
		}); err != nil {
			t.Error(err)
		}
		return on
	}
	if !nonblocking() {
		t.Fatal("the pipe is not non-blocking to begin with")
	}
	use, err := openfile.Share(w).Send()
	if err != nil {
		t.Fatal(err)
	}
	use.Sent()
	if !nonblocking() {
		t.Error("sending has made the pipe blocking")
	}
}
