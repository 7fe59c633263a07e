//go:build !linux

package socket

import (
	"context"
	"fmt"
	"net"
)

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

// offers is empty on these systems.
type offers struct{}

func newOffers() offers { return offers{} }

// Commit completes TakeOver. There is nothing to complete on these systems.
func (l *Listener) Commit() error { return nil }
