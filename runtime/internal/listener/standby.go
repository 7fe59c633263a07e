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

// ListenStandby is socket.ListenConfig.ListenStandby, which documents it.
func (c *Config) ListenStandby(ctx context.Context, addr string) (*Listener, error) {
	dir, name := filepath.Split(addr)
	lock := dir + LockName(name)
	l, err := c.Listen(ctx, addr)
	for errors.Is(err, sockerr.ErrInUse) {
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
