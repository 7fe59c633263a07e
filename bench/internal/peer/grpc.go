package peer

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
)

const grpcModule = "google.golang.org/grpc"

// grpcTCP is grpc-go as for any network, on the loopback interface.
type grpcTCP struct{}

func (grpcTCP) About() About {
	return About{
		Name:     "grpc-tcp",
		Module:   grpcModule,
		Settings: "grpc-go over TCP on 127.0.0.1, without encryption; everything else is its default, as most programs leave it.",
		Lacks:    withoutFiles(bytesOnly),
	}
}

func (grpcTCP) Listen(_ string, services int) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return serveGRPC(l, l.Addr().String(), services), nil
}

func (grpcTCP) Dial(_ context.Context, addr string, _ int) (Client, error) { return dialGRPC(addr) }

// grpcUDS is grpc-go over a Unix socket as people write it by hand.
type grpcUDS struct{}

func (grpcUDS) About() About {
	return About{
		Name:   "grpc-uds",
		Module: grpcModule,
		Settings: sentences(
			`grpc-go over a Unix socket as people write it by hand: net.Listen("unix", path), grpc.NewServer(), grpc.NewClient("unix:"+path), without encryption.`,
			"Everything else is its default."),
		Lacks: withoutFiles(bytesOnly),
	}
}

func (grpcUDS) Listen(path string, services int) (*Server, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return serveGRPC(l, "unix:"+path, services), nil
}

func (grpcUDS) Dial(_ context.Context, addr string, _ int) (Client, error) { return dialGRPC(addr) }

func serveGRPC(l net.Listener, addr string, services int) *Server {
	srv := grpc.NewServer()
	benchv1.RegisterBenchServer(srv, grpcService{})
	registerCopies(srv, services)
	return start(addr, func() error { return srv.Serve(l) }, stopping(srv.Stop))
}

func dialGRPC(addr string) (Client, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return grpcClient{benchv1.NewBenchClient(conn), conn}, nil
}
