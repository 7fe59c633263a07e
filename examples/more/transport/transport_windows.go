package main

import (
	"context"
	"net"

	"github.com/Microsoft/go-winio"
)

// ownerOnly is a security descriptor that lets in the user who has made the pipe, and nobody else; in
// its place a socket file has mode 0600. Without one, Windows lets everybody read from the pipe.
const ownerOnly = "D:P(A;;GA;;;OW)"

// listen makes a named pipe, as in \\.\pipe\greeter.
func listen(pipe string) (net.Listener, error) {
	return winio.ListenPipe(pipe, &winio.PipeConfig{SecurityDescriptor: ownerOnly})
}

func dial(ctx context.Context, pipe string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, pipe)
}
