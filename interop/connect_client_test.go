package interop

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// connectConn lets grpc's stubs, and so grpc's interop cases, call through connect-go.
type connectConn struct {
	client    *connect.Client
	transport *http.Transport
}

// dialConnect calls over a socket as connect-go's users do: with a dialer that ignores the
// address, and HTTP/2 without TLS.
func dialConnect(path string) *connectConn {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		Protocols: new(http.Protocols),
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &connectConn{
		connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: transport}, "http://localhost", connecthttp.WithGRPC())),
		transport,
	}
}

func (c *connectConn) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Invoke makes a unary call.
func (c *connectConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, info := outgoing(ctx)
	err := c.client.CallUnary(ctx, connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: method}, args, reply)
	finish(info, opts)
	return toStatus(err)
}

// NewStream begins any other call. On the wire all of them are alike.
func (c *connectConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, info := outgoing(ctx)
	stream, err := c.client.CallClientStream(ctx, connect.Spec{StreamType: connect.StreamTypeBidi, Procedure: method})
	if err != nil {
		return nil, toStatus(err)
	}
	return &connectClientStream{ctx, stream, info, desc, opts, metadata.MD{}}, toStatus(stream.SendHeaders())
}

type connectClientStream struct {
	ctx    context.Context
	stream connect.ClientStream
	info   *connect.CallInfo
	desc   *grpc.StreamDesc
	opts   []grpc.CallOption
	header metadata.MD
}

// Header returns a map that has its content from the first message on: connect does not let a
// caller wait for the header alone.
func (s *connectClientStream) Header() (metadata.MD, error) { return s.header, nil }

func (s *connectClientStream) Trailer() metadata.MD     { return toMetadata(s.info.ResponseTrailer()) }
func (s *connectClientStream) CloseSend() error         { return toStatus(s.stream.CloseSend()) }
func (s *connectClientStream) Context() context.Context { return s.ctx }

// SendMsg leaves it to RecvMsg to tell why a call has ended, as grpc does.
func (s *connectClientStream) SendMsg(m any) error {
	if s.stream.Send(m) != nil {
		return io.EOF
	}
	return nil
}

// RecvMsg returns the status of a call with one reply together with it, as grpc does.
func (s *connectClientStream) RecvMsg(m any) error {
	err := s.stream.Receive(m)
	if err == nil && !s.desc.ServerStreams {
		if err = s.stream.Receive(m); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	maps.Copy(s.header, toMetadata(s.info.ResponseHeader()))
	finish(s.info, s.opts)
	return toStatus(err)
}

// outgoing gives the metadata of a call to connect.
func outgoing(ctx context.Context) (context.Context, *connect.CallInfo) {
	md, _ := metadata.FromOutgoingContext(ctx)
	ctx, info := connect.NewClientContext(ctx)
	fill(info.RequestHeader(), md)
	return ctx, info
}

// finish serves the call options that the cases use.
func finish(info *connect.CallInfo, opts []grpc.CallOption) {
	for _, opt := range opts {
		switch o := opt.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = toMetadata(info.ResponseHeader())
		case grpc.TrailerCallOption:
			*o.TrailerAddr = toMetadata(info.ResponseTrailer())
		}
	}
}

// fill encodes what gRPC calls binary metadata, which connect leaves to its users.
func fill(h *connect.Header, md metadata.MD) {
	for key, values := range md {
		for _, v := range values {
			if strings.HasSuffix(key, "-bin") {
				v = connect.EncodeBinaryHeader([]byte(v))
			}
			h.Add(key, v)
		}
	}
}

func toMetadata(h *connect.Header) metadata.MD {
	md := metadata.MD{}
	for key, values := range h.All() {
		key = strings.ToLower(key)
		for _, v := range values {
			if strings.HasSuffix(key, "-bin") {
				if b, err := connect.DecodeBinaryHeader(v); err == nil {
					v = string(b)
				}
			}
			md.Append(key, v)
		}
	}
	return md
}

// toStatus makes connect's error one of grpc's; the codes are the same numbers.
func toStatus(err error) error {
	switch cause, isConnect := errors.AsType[*connect.Error](err); {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return io.EOF
	case isConnect:
		return status.Error(codes.Code(cause.Code()), cause.Message())
	default:
		return status.FromContextError(err).Err()
	}
}
