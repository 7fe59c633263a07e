//go:build !linux

package listener

import (
	"context"
	"fmt"
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// What only Linux can do is unsupported, or does nothing, on every other system.

func listenAbstract(string, *Config) (*Listener, error) {
	return nil, fmt.Errorf("abstract names: %w: use a path", sockerr.ErrUnsupported)
}

// awaitRelease returns after a while, or when ctx ends: these systems do not announce that a lock was
// given up.
func awaitRelease(ctx context.Context, _ string) { pause(ctx, unannouncedReleaseWait) }

// HandOver gives the listener to another process. Linux only; elsewhere [sockerr.ErrUnsupported].
func (l *Listener) HandOver(context.Context, *net.UnixConn) error {
	return fmt.Errorf("hand over %s: %w", l.addr, sockerr.ErrUnsupported)
}

// TakeOver asks the owner of addr for its listener. Linux only; elsewhere [sockerr.ErrUnsupported].
func (c *Config) TakeOver(_ context.Context, addr string, _ Dial) (*Listener, error) {
	return nil, fmt.Errorf("take over %s: %w", addr, sockerr.ErrUnsupported)
}

// Commit completes TakeOver. There is nothing to complete on these systems.
func (l *Listener) Commit() error { return nil }

// offers is empty on these systems.
type offers struct{}

func newOffers() offers { return offers{} }
