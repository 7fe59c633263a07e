package peer

import (
	"context"
	"io"
	"net"

	"github.com/containerd/ttrpc"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
)

// ttrpcPeer is what containerd and its shims talk.
type ttrpcPeer struct{}

func (ttrpcPeer) About() About {
	return About{
		Name:   "ttrpc",
		Module: "github.com/containerd/ttrpc",
		Settings: sentences(
			"ttrpc over a Unix socket with its defaults: it has no settings that change its speed.",
			"One connection carries all callers of a client, as it is meant to be used."),
		Lacks: withoutFiles(bytesOnly),
	}
}

func (ttrpcPeer) Listen(path string, services int) (*Server, error) {
	srv, err := ttrpc.NewServer()
	if err != nil {
		return nil, err
	}
	benchv1.RegisterTTRPCBenchService(srv, ttrpcService{})
	for i := 1; i < services; i++ {
		// The generated function has the name of the service in it, so a copy has only the
		// method that is called.
		srv.RegisterService(copyName(i), &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{"Unary": ttrpcUnary}})
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	serve := func() error { return srv.Serve(context.Background(), l) }
	return start(path, serve, srv.Close), nil
}

func (ttrpcPeer) Dial(ctx context.Context, addr string, _ int) (Client, error) {
	conn, err := dialUnix(ctx, addr)
	if err != nil {
		return nil, err
	}
	client := ttrpc.NewClient(conn)
	return ttrpcClient{benchv1.NewTTRPCBenchClient(client), client}, nil
}

type ttrpcService struct{}

func (ttrpcService) Unary(_ context.Context, req *benchv1.Payload) (*benchv1.Payload, error) {
	return req, nil
}

func ttrpcUnary(ctx context.Context, unmarshal func(any) error) (any, error) {
	var req benchv1.Payload
	if err := unmarshal(&req); err != nil {
		return nil, err
	}
	return ttrpcService{}.Unary(ctx, &req)
}

func (ttrpcService) PingPong(_ context.Context, stream benchv1.TTRPCBench_PingPongServer) error {
	return echoAll(stream.Recv, stream.Send)
}

func (ttrpcService) ServerStream(_ context.Context, req *benchv1.ServerStreamRequest, stream benchv1.TTRPCBench_ServerStreamServer) error {
	return sendAll(req, stream.Send)
}

func (ttrpcService) ClientStream(_ context.Context, stream benchv1.TTRPCBench_ClientStreamServer) (*benchv1.Summary, error) {
	return countAll(stream.Recv)
}

type ttrpcClient struct {
	stub benchv1.TTRPCBenchClient
	io.Closer
}

func (c ttrpcClient) Unary(ctx context.Context, data []byte) ([]byte, error) {
	m, err := c.stub.Unary(ctx, &benchv1.Payload{Data: data})
	return m.GetData(), err
}

func (c ttrpcClient) PingPong(ctx context.Context) (Stream, error) {
	stream, err := c.stub.PingPong(ctx)
	if err != nil {
		return nil, err
	}
	return &pingPong{stream.Send, stream.Recv, stream.CloseSend}, nil
}

func (c ttrpcClient) ServerStream(ctx context.Context, count, size int, got func([]byte)) error {
	stream, err := c.stub.ServerStream(ctx, &benchv1.ServerStreamRequest{Count: uint32(count), Size: uint32(size)})
	if err != nil {
		return err
	}
	return receiveAll(stream.Recv, got)
}

func (c ttrpcClient) ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error) {
	stream, err := c.stub.ClientStream(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := sendSame(count, data, stream.Send); err != nil {
		return 0, 0, err
	}
	sum, err := stream.CloseAndRecv()
	return sum.GetCount(), sum.GetBytes(), err
}
