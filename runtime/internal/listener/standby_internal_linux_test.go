package listener

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// Those that stand by would wake each other for ever, if each look of one were news to the others.
func TestLookAtALockIsNotNoticed(t *testing.T) {
	d, err := opendir.Open(t.TempDir() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	lock, err := takeLock(d, "x")
	if err != nil {
		t.Fatal(err)
	}
	path := d.Path + LockName("x")
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE_WRITE); err != nil {
		t.Fatal(err)
	}
	noticed := func() bool {
		_, err := unix.Read(fd, make([]byte, 4096))
		return !errors.Is(err, unix.EAGAIN)
	}
	if !isLocked(path) || noticed() {
		t.Error("the lock is not seen, or the look was noticed")
	}
	lock.Close()
	if !noticed() {
		t.Error("the end of the lock was not noticed")
	}
	if isLocked(path) || noticed() {
		t.Error("a lock that was given up is seen, or the look was noticed")
	}
	again, err := takeLock(d, "x")
	if err != nil {
		t.Fatalf("the look has left a lock behind: %v", err)
	}
	again.Close()
}
