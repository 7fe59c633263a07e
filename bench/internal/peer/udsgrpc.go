package peer

import (
	"context"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

const udsgrpcModule = "github.com/udsgrpc/udsgrpc"

// udsgrpc is this project as its README shows it.
type udsgrpc struct{}

func (udsgrpc) About() About {
	return About{
		Name:   "udsgrpc",
		Module: udsgrpcModule,
		Settings: sentences(
			"this project: the generated NewBenchUDSServer and DialBenchUDS without any option.",
			"That includes the check of who is at the other end, which no other peer here makes."),
		Lacks: withoutFiles(noFilesHere),
	}
}

func (udsgrpc) Listen(path string, services int) (*Server, error) {
	return serveUDS(path, services)
}

func (udsgrpc) Dial(_ context.Context, addr string, _ int) (Client, error) { return dialUDS(addr) }

func serveUDS(path string, services int, opts ...runtime.ServerOption) (*Server, error) {
	srv, err := benchv1.NewBenchUDSServer(path, grpcService{}, opts...)
	if err != nil {
		return nil, err
	}
	registerCopies(srv, services)
	return serveOn(path, srv), nil
}

func serveOn(path string, srv *runtime.Server) *Server {
	serve := func() error { return srv.Serve(context.Background()) }
	return start(path, serve, srv.Close)
}

func dialUDS(path string, opts ...runtime.DialOption) (Client, error) {
	client, conn, err := benchv1.DialBenchUDS(path, opts...)
	if err != nil {
		return nil, err
	}
	return udsgrpcClient{grpcClient{client, conn}, benchv1.NewFilesClient(conn)}, nil
}
