package listener

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// unannouncedReleaseWait is how long ListenStandby waits between two attempts where nothing announces that
// a lock was given up.
const unannouncedReleaseWait = 50 * time.Millisecond

// ListenStandby is Listen, but while the path is in use it waits until the owner gives it up or dies. On
// Linux it then has the path within a few milliseconds. Elsewhere, and if no inotify instance is left
// (inotify(7)), it takes up to 50 ms, and up to a second if the owner is a server that takes no lock. If
// several processes wait, one gets the path, and the others continue to wait.
//
// If ctx ends first, the error wraps both its error and [sockerr.InUse]. Other errors are those of
// Listen.
func (c *Config) ListenStandby(ctx context.Context, addr string) (*Listener, error) {
	dir, name := filepath.Split(addr)
	lock := dir + LockName(name)
	l, err := c.Listen(ctx, addr)
	for errors.Is(err, sockerr.InUse) {
		awaitRelease(ctx, lock)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		l, err = c.Listen(ctx, addr)
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
