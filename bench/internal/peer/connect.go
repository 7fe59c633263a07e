package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"connectrpc.com/connect"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
	"github.com/udsgrpc/udsgrpc/bench/gen/bench/v1/benchv1connect"
)

// connectPeer is connect-go on the HTTP/2 of the standard library.
type connectPeer struct{}

func (connectPeer) About() About {
	return About{
		Name:   "connect",
		Module: "connectrpc.com/connect",
		Settings: sentences(
			"connect-go over a Unix socket, with the HTTP/2 of net/http without encryption (h2c) and its own protocol, which is faster than gRPC's for unary calls.",
			"Compression is off: by default servers gzip every reply, which costs far more than it saves on one machine.",
			"The limits and windows of HTTP/2 are the defaults: larger ones were tried and made nothing faster."),
	}
}

func h2c() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func (connectPeer) Listen(path string, services int) (*Server, error) {
	uncompressed := connect.WithCompression("gzip", nil, nil)
	mux := http.NewServeMux()
	pattern, handler := benchv1connect.NewBenchHandler(connectService{}, uncompressed)
	mux.Handle(pattern, handler)
	for i := 1; i < services; i++ {
		mux.Handle("/"+copyName(i)+"/", handler)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: mux, Protocols: h2c()}
	return start(path, func() error { return srv.Serve(l) }, srv.Close), nil
}

func (connectPeer) Dial(_ context.Context, addr string, _ int) (Client, error) {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, addr) },
		Protocols:   h2c(),
	}
	stub := benchv1connect.NewBenchClient(&http.Client{Transport: transport}, "http://localhost",
		connect.WithAcceptCompression("gzip", nil, nil))
	return connectClient{stub, transport}, nil
}

type connectService struct{}

func (connectService) Unary(_ context.Context, req *connect.Request[benchv1.Payload]) (*connect.Response[benchv1.Payload], error) {
	return connect.NewResponse(req.Msg), nil
}

func (connectService) PingPong(_ context.Context, stream *connect.BidiStream[benchv1.Payload, benchv1.Payload]) error {
	return echoAll(stream.Receive, stream.Send)
}

func (connectService) ServerStream(_ context.Context, req *connect.Request[benchv1.ServerStreamRequest], stream *connect.ServerStream[benchv1.Payload]) error {
	return sendAll(req.Msg, stream.Send)
}

func (connectService) ClientStream(_ context.Context, stream *connect.ClientStream[benchv1.Payload]) (*connect.Response[benchv1.Summary], error) {
	sum, err := countAll(connectReceive(stream))
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(sum), nil
}

type connectClient struct {
	stub      benchv1connect.BenchClient
	transport *http.Transport
}

func (c connectClient) Unary(ctx context.Context, data []byte) ([]byte, error) {
	res, err := c.stub.Unary(ctx, connect.NewRequest(&benchv1.Payload{Data: data}))
	if err != nil {
		return nil, err
	}
	return res.Msg.GetData(), nil
}

func (c connectClient) PingPong(ctx context.Context) (Stream, error) {
	stream := c.stub.PingPong(ctx)
	return &pingPong{stream.Send, stream.Receive, stream.CloseRequest}, nil
}

func (c connectClient) ServerStream(ctx context.Context, count, size int, got func([]byte)) error {
	stream, err := c.stub.ServerStream(ctx, connect.NewRequest(&benchv1.ServerStreamRequest{Count: uint32(count), Size: uint32(size)}))
	if err != nil {
		return err
	}
	return errors.Join(receiveAll(connectReceive(stream), got), stream.Close())
}

func (c connectClient) ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error) {
	stream := c.stub.ClientStream(ctx)
	if err := sendSame(count, data, stream.Send); err != nil {
		return 0, 0, err
	}
	res, err := stream.CloseAndReceive()
	if err != nil {
		return 0, 0, err
	}
	return res.Msg.GetCount(), res.Msg.GetBytes(), nil
}

func (c connectClient) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// connectReceive gives connect's streams of one direction the shape that the others have.
func connectReceive(stream interface {
	Receive() bool
	Msg() *benchv1.Payload
	Err() error
}) receiveFunc {
	return func() (*benchv1.Payload, error) {
		if stream.Receive() {
			return stream.Msg(), nil
		}
		if err := stream.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
}
