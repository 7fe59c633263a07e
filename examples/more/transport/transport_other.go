//go:build !windows

package main

import (
	"context"
	"net"
)

// listen is TCP, so that there is something to run. Every user of the machine can connect to it.
func listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func dial(ctx context.Context, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}
