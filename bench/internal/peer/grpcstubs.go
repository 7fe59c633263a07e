package peer

import (
	"context"
	"io"

	"google.golang.org/grpc"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
)

// grpcService is the service of all peers that use the stubs of grpc-go.
type grpcService struct {
	benchv1.UnimplementedBenchServer
}

func (grpcService) Unary(_ context.Context, req *benchv1.Payload) (*benchv1.Payload, error) {
	return req, nil
}

func (grpcService) PingPong(stream grpc.BidiStreamingServer[benchv1.Payload, benchv1.Payload]) error {
	return echoAll(stream.Recv, stream.Send)
}

func (grpcService) ServerStream(req *benchv1.ServerStreamRequest, stream grpc.ServerStreamingServer[benchv1.Payload]) error {
	return sendAll(req, stream.Send)
}

func (grpcService) ClientStream(stream grpc.ClientStreamingServer[benchv1.Payload, benchv1.Summary]) error {
	sum, err := countAll(stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(sum)
}

// registerCopies adds copies of the service under other names until there are that many.
func registerCopies(to grpc.ServiceRegistrar, services int) {
	for i := 1; i < services; i++ {
		desc := benchv1.Bench_ServiceDesc
		desc.ServiceName = copyName(i)
		to.RegisterService(&desc, grpcService{})
	}
}

// grpcClient is the client of all peers that use the stubs of grpc-go.
type grpcClient struct {
	stub benchv1.BenchClient
	io.Closer
}

func (c grpcClient) Unary(ctx context.Context, data []byte) ([]byte, error) {
	m, err := c.stub.Unary(ctx, &benchv1.Payload{Data: data})
	return m.GetData(), err
}

func (c grpcClient) PingPong(ctx context.Context) (Stream, error) {
	stream, err := c.stub.PingPong(ctx)
	if err != nil {
		return nil, err
	}
	return &pingPong{stream.Send, stream.Recv, stream.CloseSend}, nil
}

func (c grpcClient) ServerStream(ctx context.Context, count, size int, got func([]byte)) error {
	stream, err := c.stub.ServerStream(ctx, &benchv1.ServerStreamRequest{Count: uint32(count), Size: uint32(size)})
	if err != nil {
		return err
	}
	return receiveAll(stream.Recv, got)
}

func (c grpcClient) ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error) {
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
