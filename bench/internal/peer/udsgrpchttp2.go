package peer

import (
	"context"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// udsgrpcHTTP2 is this project without its direct transport.
type udsgrpcHTTP2 struct{}

func (udsgrpcHTTP2) About() About {
	return About{
		Name:   "udsgrpc-http2",
		Module: udsgrpcModule,
		Settings: sentences(
			"this project with runtime.HTTP2Only() and runtime.WithHTTP2Only(): what a program gets whose other end is a plain gRPC client or server.",
			"Everything else is as with udsgrpc."),
		Lacks: withoutFiles(filesAreDirect),
	}
}

func (udsgrpcHTTP2) Listen(path string, services int) (*Server, error) {
	return serveUDS(path, services, runtime.HTTP2Only())
}

func (udsgrpcHTTP2) Dial(_ context.Context, addr string, _ int) (Client, error) {
	return dialUDS(addr, runtime.WithHTTP2Only())
}
