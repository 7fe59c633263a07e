package socket

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// longestReleaseWait is for what is not announced: the end of a server that does not lock, or whose
	// lock file was removed.
	longestReleaseWait = time.Second

	// A moment after the announcement the kernel drops the lock.
	shortReleaseWait  = time.Millisecond
	shortReleaseTries = 20
)

// awaitRelease returns soon after whoever has locked the file at path gives it up, or when ctx ends, or
// after a while. The caller tries to get the lock in any case.
func awaitRelease(ctx context.Context, path string) {
	for ctx.Err() == nil {
		announced, err := awaitClose(ctx, path)
		if err != nil {
			// A user has 128 inotify instances by default, and somebody may have taken all.
			pause(ctx, unannouncedReleaseWait)
			return
		}
		if !announced || awaitUnlock(ctx, path) {
			return
		}
	}
}

// awaitUnlock reports whether the lock is given up now that this was announced. Others that stand by do
// not notice that it looks: they wait for a file to be closed that was open for writing.
func awaitUnlock(ctx context.Context, path string) bool {
	for range shortReleaseTries {
		if !isLocked(path) {
			return true
		}
		pause(ctx, shortReleaseWait)
	}
	return false
}

// awaitClose returns true when a process closes the file at path that it has open for writing, as it does
// when it dies, too; and false after the longest wait.
func awaitClose(ctx context.Context, path string) (bool, error) {
	w, err := watchInotify(path, unix.IN_CLOSE_WRITE|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
	if errors.Is(err, fs.ErrNotExist) {
		pause(ctx, longestReleaseWait)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer w.close()
	return w.wait(ctx, longestReleaseWait), nil
}

// isLocked reports whether somebody has the lock. The lock that it takes for that is shared, and lasts a
// moment, in which nobody else gets it.
func isLocked(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return errors.Is(unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
