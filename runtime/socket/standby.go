package socket

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long ListenStandby waits between two attempts: at the longest, for what makes no
// announcement; where there are no announcements at all; and right after one, when the kernel is about
// to drop the lock.
const (
	longestReleaseWait     = time.Second
	unannouncedReleaseWait = 50 * time.Millisecond
	shortReleaseWait       = time.Millisecond
	shortReleaseTries      = 20
)

// ListenStandby is Listen, but while the path is in use it waits for the owner to give it up,
// or to die. On Linux it has the path within a few milliseconds, elsewhere, and where no inotify
// instance is left (inotify(7)), within 50, and within a second if the owner is a server that takes
// no lock. Of several that wait, one gets the path, and the others go on waiting.
//
// If ctx ends first, the error wraps both its error and [ErrInUse]. Other errors are those of
// Listen.
func (c *ListenConfig) ListenStandby(ctx context.Context, path string) (*Listener, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	short := 0
	for {
		l, err := c.Listen(ctx, addr.String())
		if !errors.Is(err, ErrInUse) {
			return l, err
		}
		if short > 0 {
			short--
			pause(ctx, shortReleaseWait)
		} else {
			dir, name := addr.split()
			awaitRelease(ctx, dir+lockName(name))
			short = shortReleaseTries
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// pause waits that long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
