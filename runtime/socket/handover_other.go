//go:build !linux

package socket

import (
	"context"
	"fmt"
	"net"
)

// HandoverRequest is what an heir sends first.
const HandoverRequest = "UDSGRPC-HANDOVER/1.0\r\n\r\n"

// HandOver gives the listener to another process. Linux only; elsewhere [ErrUnsupported].
func (l *Listener) HandOver(context.Context, *net.UnixConn) error {
	return fmt.Errorf("hand over %s: %w", l.addr, ErrUnsupported)
}

// TakeOver asks the owner of path for its listener. Linux only; elsewhere [ErrUnsupported].
func (c *ListenConfig) TakeOver(_ context.Context, path string) (*Listener, error) {
	return nil, fmt.Errorf("take over %s: %w", path, ErrUnsupported)
}

// offers are none here.
type offers struct{}

func newOffers() offers { return offers{} }

// Commit completes TakeOver. Here there is nothing to complete.
func (l *Listener) Commit() error { return nil }
