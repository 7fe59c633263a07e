package peer

import (
	"context"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// http2Settings is udsgrpc-http2 with one setting of grpc changed. Those are for choosing the
// runtime's defaults: a setting is worth having where it beats udsgrpc-http2 by more than the noise.
type http2Settings struct {
	name   string
	about  string
	server []grpc.ServerOption
	dial   []grpc.DialOption
}

func (p http2Settings) About() About {
	return About{
		Name:     "http2-" + p.name,
		Module:   udsgrpcModule,
		Settings: "udsgrpc-http2 with " + p.about + ".",
		Lacks:    withoutFiles(filesAreDirect),
	}
}

func (p http2Settings) Listen(path string, services int) (*Server, error) {
	return serveUDS(path, services, runtime.HTTP2Only(), runtime.GRPCServerOptions(p.server...))
}

func (p http2Settings) Dial(_ context.Context, addr string, _ int) (Client, error) {
	return dialUDS(addr, runtime.WithHTTP2Only(), runtime.WithGRPCDialOptions(p.dial...))
}

// Settings returns the peers that are measured when -only names them, as in http2-.*
func Settings() []Peer {
	return []Peer{
		uninspected{},
		uninspectedHTTP2{},
		http2Settings{
			name:   "buffers-128KiB",
			about:  "read and write buffers of 128 KiB instead of 32 KiB",
			server: []grpc.ServerOption{grpc.ReadBufferSize(128 << 10), grpc.WriteBufferSize(128 << 10)},
			dial:   []grpc.DialOption{grpc.WithReadBufferSize(128 << 10), grpc.WithWriteBufferSize(128 << 10)},
		},
		http2Settings{
			name:   "buffers-none",
			about:  "no read and write buffers",
			server: []grpc.ServerOption{grpc.ReadBufferSize(0), grpc.WriteBufferSize(0)},
			dial:   []grpc.DialOption{grpc.WithReadBufferSize(0), grpc.WithWriteBufferSize(0)},
		},
		// The same as udsgrpc-http2 by another name: how far it is off is the noise.
		http2Settings{name: "as-it-is", about: "nothing changed"},
		http2Settings{
			name:   "windows-1MiB",
			about:  "flow control windows of 1 MiB that do not adapt",
			server: []grpc.ServerOption{grpc.StaticStreamWindowSize(1 << 20), grpc.StaticConnWindowSize(1 << 20)},
			dial:   []grpc.DialOption{grpc.WithStaticStreamWindowSize(1 << 20), grpc.WithStaticConnWindowSize(1 << 20)},
		},
		http2Settings{
			name:   "windows-16MiB",
			about:  "flow control windows of 16 MiB that do not adapt",
			server: []grpc.ServerOption{grpc.StaticStreamWindowSize(16 << 20), grpc.StaticConnWindowSize(16 << 20)},
			dial:   []grpc.DialOption{grpc.WithStaticStreamWindowSize(16 << 20), grpc.WithStaticConnWindowSize(16 << 20)},
		},
		http2Settings{
			name:   "stream-workers",
			about:  "two goroutines that run the handlers, instead of a new one for each call",
			server: []grpc.ServerOption{grpc.NumStreamWorkers(2)},
		},
	}
}
