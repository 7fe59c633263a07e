//go:build !linux

package socket

import (
	"context"
	"fmt"
	"net"
)

// What only Linux can do is unsupported, or does nothing, on every other system.

func listenAbstract(Address, *ListenConfig) (*Listener, error) {
	return nil, fmt.Errorf("abstract names: %w: use a path", ErrUnsupported)
}

// hindrance returns what keeps a server from answering. Other systems do not tell.
func hindrance(Peer) string { return "" }

// awaitRelease returns after a while, or when ctx ends: these systems do not announce that a lock was
// given up.
func awaitRelease(ctx context.Context, _ string) { pause(ctx, unannouncedReleaseWait) }

// HandoverRequest is what a successor sends first.
const HandoverRequest = "UDSGRPC-HANDOVER/1.0\r\n\r\n"

// HandOver gives the listener to another process. Linux only; elsewhere [ErrUnsupported].
func (l *Listener) HandOver(context.Context, *net.UnixConn) error {
	return fmt.Errorf("hand over %s: %w", l.addr, ErrUnsupported)
}

// TakeOver asks the owner of path for its listener. Linux only; elsewhere [ErrUnsupported].
func (c *ListenConfig) TakeOver(_ context.Context, path string) (*Listener, error) {
	return nil, fmt.Errorf("take over %s: %w", path, ErrUnsupported)
}

// Commit completes TakeOver. There is nothing to complete on these systems.
func (l *Listener) Commit() error { return nil }

// offers is empty on these systems.
type offers struct{}

func newOffers() offers { return offers{} }
