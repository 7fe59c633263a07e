package peer

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
	"github.com/udsgrpc/udsgrpc/bench/gen/bench/v1/benchv1connect"
)

// connectPeer is connect-go on the HTTP/2 of the standard library.
type connectPeer struct{}

func (connectPeer) About() About {
	return About{
		Name:   "connect",
		Module: "connectrpc.com/connect/v2",
		Settings: sentences(
			"connect-go over a Unix socket, with the HTTP/2 of net/http without encryption (h2c) and its own protocol, which is faster than gRPC's for unary calls.",
			"Compression is off: by default servers gzip every reply, which costs far more than it saves on one machine.",
			"Frames of HTTP/2 may have up to 1 MiB, which speeds up large messages; its other limits and its windows are the defaults: larger ones were tried and made nothing faster."),
		Lacks: withoutFiles(bytesOnly),
	}
}

func h2c() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func largeFrames() *http.HTTP2Config { return &http.HTTP2Config{MaxReadFrameSize: 1 << 20} }

func (connectPeer) Listen(path string, services int) (*Server, error) {
	mux := http.NewServeMux()
	connecthttp.Mount(mux, newConnectServer(services), uncompressed())
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: mux, Protocols: h2c(), HTTP2: largeFrames()}
	return start(path, func() error { return srv.Serve(l) }, srv.Close), nil
}

func (connectPeer) Dial(_ context.Context, addr string, _ int) (Client, error) {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, addr) },
		Protocols:   h2c(),
		HTTP2:       largeFrames(),
	}
	client := connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: transport}, "http://localhost", uncompressed()))
	return connectClient{benchv1connect.NewBenchClient(client), transport}, nil
}

func uncompressed() connecthttp.Option { return connecthttp.WithCompressors() }

func newConnectServer(services int) *connect.Server {
	server := connect.NewServer()
	benchv1connect.RegisterBenchHandler(server, connectService{})
	specs := slices.Collect(server.Specs())
	for i := 1; i < services; i++ {
		for _, spec := range specs {
			// The generated function has the name of the service in it, so a copy calls what that
			// has registered.
			original := spec.Procedure
			spec.Procedure = strings.Replace(original, benchv1connect.BenchName, copyName(i), 1)
			server.Register(connect.Method{
				Spec: spec,
				Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
					return server.Call(ctx, original, nil, stream)
				},
			})
		}
	}
	return server
}

type connectService struct{}

func (connectService) Unary(_ context.Context, req *benchv1.Payload) (*benchv1.Payload, error) {
	return req, nil
}

func (connectService) PingPong(_ context.Context, stream benchv1connect.BenchPingPongServerStream) error {
	return echoAll(stream.Receive, stream.Send)
}

func (connectService) ServerStream(_ context.Context, req *benchv1.ServerStreamRequest, stream benchv1connect.BenchServerStreamServerStream) error {
	return sendAll(req, stream.Send)
}

func (connectService) ClientStream(_ context.Context, stream benchv1connect.BenchClientStreamServerStream) (*benchv1.Summary, error) {
	return countAll(stream.Receive)
}

type connectClient struct {
	stub      benchv1connect.BenchClient
	transport *http.Transport
}

func (c connectClient) Unary(ctx context.Context, data []byte) ([]byte, error) {
	m, err := c.stub.Unary(ctx, &benchv1.Payload{Data: data})
	return m.GetData(), err
}

func (c connectClient) PingPong(ctx context.Context) (Stream, error) {
	stream, err := c.stub.PingPong(ctx)
	if err != nil {
		return nil, err
	}
	return &pingPong{stream.Send, stream.Receive, stream.CloseSend}, nil
}

func (c connectClient) ServerStream(ctx context.Context, count, size int, got func([]byte)) error {
	stream, err := c.stub.ServerStream(ctx, &benchv1.ServerStreamRequest{Count: uint32(count), Size: uint32(size)})
	if err != nil {
		return err
	}
	return receiveAll(stream.Receive, got)
}

func (c connectClient) ClientStream(ctx context.Context, count int, data []byte) (messages, bytes uint64, err error) {
	stream, err := c.stub.ClientStream(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := sendSame(count, data, stream.Send); err != nil {
		return 0, 0, err
	}
	sum, err := stream.CloseAndReceive()
	return sum.GetCount(), sum.GetBytes(), err
}

func (c connectClient) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
