package socket

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// unannouncedReleaseWait is how long ListenStandby waits between two attempts where nothing announces that
// a lock was given up.
const unannouncedReleaseWait = 50 * time.Millisecond

// ListenStandby is Listen, but while the path is in use it waits until the owner gives it up or dies. On
// Linux it then has the path within a few milliseconds. Elsewhere, and if no inotify instance is left
// (inotify(7)), it takes up to 50 ms, and up to a second if the owner is a server that takes no lock. If
// several processes wait, one gets the path, and the others continue to wait.
//
// If ctx ends first, the error wraps both its error and [ErrInUse]. Other errors are those of
// Listen.
func (c *ListenConfig) ListenStandby(ctx context.Context, path string) (*Listener, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	dir, name := addr.split()
	lock := dir + lockName(name)
	l, err := c.Listen(ctx, addr.String())
	for errors.Is(err, ErrInUse) {
		awaitRelease(ctx, lock)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		l, err = c.Listen(ctx, addr.String())
	}
	return l, err
}

// pause waits that long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
