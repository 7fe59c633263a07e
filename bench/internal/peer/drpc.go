package peer

import (
	"context"
	"io"
	"net"
	"strings"

	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcpool"
	"storj.io/drpc/drpcserver"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
)

// drpcPeer is Storj's lightweight replacement of gRPC.
type drpcPeer struct{}

func (drpcPeer) About() About {
	return About{
		Name:   "drpc",
		Module: "storj.io/drpc",
		Settings: sentences(
			"drpc over a Unix socket with its defaults.",
			"A connection carries one call at a time, so several callers use its drpcpool, without a limit, so that connections are kept; one caller uses a drpcconn.",
			"Streams of one direction are flushed by hand at their end (SetManualFlush): with the default, a flush after every message, they carry a third fewer messages."),
		Lacks: withoutFiles(bytesOnly),
	}
}

func (drpcPeer) Listen(path string, services int) (*Server, error) {
	mux := drpcmux.New()
	for i := range services {
		if err := mux.Register(drpcService{}, drpcCopy{number: i}); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	serve := func() error { return drpcserver.New(mux).Serve(ctx, l) }
	return start(path, serve, stopping(cancel)), nil
}

func (drpcPeer) Dial(ctx context.Context, addr string, callers int) (Client, error) {
	if callers == 1 {
		conn, err := dialDRPC(ctx, addr)
		if err != nil {
			return nil, err
		}
		return drpcClient{benchv1.NewDRPCBenchClient(conn), conn}, nil
	}
	pool := drpcpool.New[string, drpcpool.Conn](drpcpool.Options{})
	return drpcClient{benchv1.NewDRPCBenchClient(pool.Get(ctx, addr, dialDRPC)), pool}, nil
}

func dialDRPC(ctx context.Context, addr string) (drpcpool.Conn, error) {
	conn, err := dialUnix(ctx, addr)
	if err != nil {
		return nil, err
	}
	return drpcconn.New(conn), nil
}

// drpcCopy is the generated description with another name of the service, but for number 0.
type drpcCopy struct {
	benchv1.DRPCBenchDescription
	number int
}

func (c drpcCopy) Method(n int) (string, drpc.Encoding, drpc.Receiver, any, bool) {
	rpc, enc, receiver, method, ok := c.DRPCBenchDescription.Method(n)
	if c.number > 0 {
		rpc = strings.Replace(rpc, benchv1.Bench_ServiceDesc.ServiceName, copyName(c.number), 1)
	}
	return rpc, enc, receiver, method, ok
}

type drpcService struct{}

func (drpcService) Unary(_ context.Context, req *benchv1.Payload) (*benchv1.Payload, error) {
	return req, nil
}

func (drpcService) PingPong(stream benchv1.DRPCBench_PingPongStream) error {
	return echoAll(stream.Recv, stream.Send)
}

func (drpcService) ServerStream(req *benchv1.ServerStreamRequest, stream benchv1.DRPCBench_ServerStreamStream) error {
	return drpcFlushed(stream, func() error { return sendAll(req, stream.Send) })
}

func (drpcService) ClientStream(stream benchv1.DRPCBench_ClientStreamStream) error {
	sum, err := countAll(stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(sum)
}

type drpcClient struct {
	stub benchv1.DRPCBenchClient
	io.Closer
}

func (c drpcClient) Unary(ctx context.Context, data []byte) ([]byte, error) {
	m, err := c.stub.Unary(ctx, &benchv1.Payload{Data: data})
	return m.GetData(), err
}

func (c drpcClient) PingPong(ctx context.Context) (Stream, error) {
	stream, err := c.stub.PingPong(ctx)
	if err != nil {
		return nil, err
	}
	return &pingPong{stream.Send, stream.Recv, stream.CloseSend}, nil
}

func (c drpcClient) ServerStream(ctx context.Context, count, size int, got func([]byte)) error {
	stream, err := c.stub.ServerStream(ctx, &benchv1.ServerStreamRequest{Count: uint32(count), Size: uint32(size)})
	if err != nil {
		return err
	}
	return receiveAll(stream.Recv, got)
}

func (c drpcClient) ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error) {
	stream, err := c.stub.ClientStream(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := drpcFlushed(stream, func() error { return sendSame(count, data, stream.Send) }); err != nil {
		return 0, 0, err
	}
	sum, err := stream.CloseAndRecv()
	return sum.GetCount(), sum.GetBytes(), err
}

// drpcFlushed lets send fill the buffer of a stream, which writes it when it is full, and writes
// the rest. Streams of a pool cannot do this; they flush every message.
func drpcFlushed(stream any, send func() error) error {
	wrapped, ok := stream.(interface{ GetStream() drpc.Stream })
	if !ok {
		return send()
	}
	flusher, ok := wrapped.GetStream().(interface {
		SetManualFlush(bool)
		RawFlush() error
	})
	if !ok {
		return send()
	}
	flusher.SetManualFlush(true)
	defer flusher.SetManualFlush(false)
	if err := send(); err != nil {
		return err
	}
	return flusher.RawFlush()
}
