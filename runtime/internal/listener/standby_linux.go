package listener

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/filewatch"
)

const (
	// longestReleaseWait limits the wait for releases that are not announced: the end of a server that
	// does not lock, or whose lock file was removed.
	longestReleaseWait = time.Second

	// The kernel drops the lock a moment after the announcement.
	shortReleaseWait  = time.Millisecond
	shortReleaseTries = 20
)

// awaitRelease returns soon after the holder of the lock file at path gives it up, or when ctx ends, or
// after a while. The caller tries to get the lock in any case.
func awaitRelease(ctx context.Context, path string) {
	for ctx.Err() == nil {
		announced, err := awaitClose(ctx, path)
		if err != nil {
			// A user has 128 inotify instances by default, and other programs may use all of them.
			pause(ctx, unannouncedReleaseWait)
			return
		}
		if !announced || awaitUnlock(ctx, path) {
			return
		}
	}
}

// awaitUnlock reports whether the lock was given up after that was announced. Other standbys do not notice
// this check: they wait until a file that was open for writing is closed.
func awaitUnlock(ctx context.Context, path string) bool {
	for range shortReleaseTries {
		if !isLocked(path) {
			return true
		}
		pause(ctx, shortReleaseWait)
	}
	return false
}

// awaitClose returns true when a process closes the file at path that it has open for writing, which also
// happens when it dies. It returns false after the longest wait.
func awaitClose(ctx context.Context, path string) (bool, error) {
	w, err := filewatch.Closing(path)
	if errors.Is(err, fs.ErrNotExist) {
		pause(ctx, longestReleaseWait)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer w.Close()
	return w.Wait(ctx, longestReleaseWait), nil
}

// isLocked reports whether a process has the lock. To find out it takes a shared lock for a moment, in
// which no other process can get the lock.
func isLocked(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return errors.Is(unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
