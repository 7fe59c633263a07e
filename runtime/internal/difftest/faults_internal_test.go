package difftest

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// fault is what a transport may do wrong. It is put between grpc-go and the handler, or the client.
type fault struct {
	server func(*faultyServer)
	client func(*faultyClient)
	status func(error) error
}

var faults = map[string]fault{
	"a message from the handler is lost": {server: func(s *faultyServer) {
		s.send = func(n int, m any) error { return s.unless(n == 1, m) }
	}},
	"a message from the handler is changed": {server: func(s *faultyServer) {
		s.send = func(n int, m any) error {
			if b := m.(*wrapperspb.BytesValue).GetValue(); n == 1 && len(b) > 0 {
				m = wrapperspb.Bytes(append([]byte{b[0] + 1}, b[1:]...))
			}
			return s.ServerStream.SendMsg(m)
		}
	}},
	"a handler that sends waits for nobody": {server: func(s *faultyServer) {
		s.send = func(n int, m any) error {
			if n == 20 {
				<-s.Context().Done()
			}
			return s.ServerStream.SendMsg(m)
		}
	}},
	"a handler sees the end too late": {server: func(s *faultyServer) {
		s.recv = func(m any) error {
			err := s.ServerStream.RecvMsg(m)
			if status.Code(err) == codes.Canceled {
				return io.EOF
			}
			return err
		}
	}},
	"headers are not sent": {server: func(s *faultyServer) { s.headers = func(metadata.MD) metadata.MD { return nil } }},
	"a header comes twice": {server: func(s *faultyServer) {
		s.headers = func(md metadata.MD) metadata.MD { return metadata.Join(md, md) }
	}},
	"a trailer is added":         {server: func(s *faultyServer) { s.SetTrailer(metadata.Pairs("more", "1")) }},
	"the message of a status":    {status: func(err error) error { return status.Error(status.Code(err), "another") }},
	"the code of a status":       {status: func(err error) error { return status.Error(codes.Unavailable, status.Convert(err).Message()) }},
	"the details of a status":    {status: func(err error) error { return status.Error(status.Code(err), status.Convert(err).Message()) }},
	"an error becomes a success": {status: func(error) error { return nil }},
	"the client's messages end too early": {client: func(c *faultyClient) {
		c.send = func(n int, m any) error {
			if n == 3 {
				return io.EOF
			}
			return c.ClientStream.SendMsg(m)
		}
	}},
	"the client half-closes in vain": {client: func(c *faultyClient) { c.closeSend = func() error { return nil } }},
	"the client's trailer is lost":   {client: func(c *faultyClient) { c.trailer = func() metadata.MD { return nil } }},
}

type faultyServer struct {
	grpc.ServerStream
	sent    int
	send    func(n int, m any) error
	recv    func(m any) error
	headers func(metadata.MD) metadata.MD
}

func (s *faultyServer) unless(lost bool, m any) error {
	if lost {
		return nil
	}
	return s.ServerStream.SendMsg(m)
}

func (s *faultyServer) SendMsg(m any) error {
	s.sent++
	return s.send(s.sent-1, m)
}
func (s *faultyServer) RecvMsg(m any) error { return s.recv(m) }
func (s *faultyServer) SetHeader(md metadata.MD) error {
	return s.ServerStream.SetHeader(s.headers(md))
}
func (s *faultyServer) SendHeader(md metadata.MD) error {
	return s.ServerStream.SendHeader(s.headers(md))
}

type faultyClient struct {
	grpc.ClientStream
	sent      int
	send      func(n int, m any) error
	closeSend func() error
	trailer   func() metadata.MD
}

func (c *faultyClient) SendMsg(m any) error {
	c.sent++
	return c.send(c.sent-1, m)
}
func (c *faultyClient) CloseSend() error     { return c.closeSend() }
func (c *faultyClient) Trailer() metadata.MD { return c.trailer() }

func (f fault) atServer(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	s := &faultyServer{ServerStream: ss, recv: ss.RecvMsg, headers: func(md metadata.MD) metadata.MD { return md }}
	s.send = func(_ int, m any) error { return ss.SendMsg(m) }
	if f.server != nil {
		f.server(s)
	}
	err := next(srv, s)
	if err != nil && f.status != nil {
		return f.status(err)
	}
	return err
}

func (f fault) atClient(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	cs, err := next(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	c := &faultyClient{ClientStream: cs, closeSend: cs.CloseSend, trailer: cs.Trailer}
	c.send = func(_ int, m any) error { return cs.SendMsg(m) }
	if f.client != nil {
		f.client(c)
	}
	return c, nil
}

func TestFaultsOfTransportsAreFound(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subject := plain(name,
				[]grpc.ServerOption{grpc.ChainStreamInterceptor(fault.atServer)},
				[]grpc.DialOption{grpc.WithStreamInterceptor(fault.atClient)})
			k := Checker{Subject: subject, Tries: 8, patience: 500 * time.Millisecond}
			defer k.Close()
			for seed := range uint64(200) {
				if c := New(seed); c.Kind != Unary && k.Check(c) != "" {
					return
				}
			}
			t.Errorf("%v, and the fault was not found", k.Summary)
		})
	}
}

// A handler that does not read holds a client up, which may be so when enough is unread.
func TestStallsAreTold(t *testing.T) {
	t.Parallel()
	c := &Case{
		Kind:    Bidi,
		Client:  [][]Step{{{Op: Send, N: 60, Size: 100_000}, {Op: RecvAll}}},
		Handler: [][]Step{{{Op: WaitCtx}}},
		Return:  Return{How: "status"},
	}
	for name, want := range map[string]struct {
		subject Transport
		Summary
	}{
		"with 4 MiB unread":  {Wide(), Summary{Cases: 1, Permitted: 1}},
		"with less, of both": {Plain(), Summary{Cases: 1, Both: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := Checker{Subject: want.subject, Tries: 5, patience: 500 * time.Millisecond}
			defer k.Close()
			if wrong := k.Check(c); wrong != "" {
				t.Error(wrong)
			}
			if k.Summary != want.Summary {
				t.Errorf("%v, want %v", k.Summary, want.Summary)
			}
		})
	}
}
