package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// awaitRelease returns soon after whoever has the lock file at path open gives it up, or
// when ctx ends. It may return early; the caller tries the lock again in any case.
//
// The kernel tells when a file that was open for writing is closed, as it is when its process
// dies, a moment before it drops the lock. The longest wait is for what makes no such
// event: a lock file that was removed, or a server that does not lock.
func awaitRelease(ctx context.Context, path string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	defer f.Close()
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE_WRITE|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("watch %s: %w", path, os.NewSyscallError("inotify_add_watch", err))
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
