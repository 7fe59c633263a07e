package socket

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// awaitRelease returns soon after whoever has the lock file at path open gives it up, or
// when ctx ends. It may return early; the caller tries the lock again in any case.
func awaitRelease(ctx context.Context, path string) {
	// A user has 128 inotify instances by default, and somebody may have taken all.
	if err := awaitClose(ctx, path); err != nil {
		pause(ctx, unannouncedReleaseWait)
	}
}

// awaitClose returns when a process closes the file at path that it has open for writing. It does so
// when it dies, too, a moment before the kernel drops its lock. The longest wait is for what makes no
// such event: a lock file that was removed, or a server that does not lock.
func awaitClose(ctx context.Context, path string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	defer f.Close()
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE_WRITE|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	defer context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(0, 0)) })()
	if err := f.SetReadDeadline(time.Now().Add(longestReleaseWait)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	_, err = f.Read(make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
