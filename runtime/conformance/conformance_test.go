// Package conformance_test shows that calls over the direct transport are like those over HTTP/2.
//
// It makes the same calls over every transport, writes down everything that callers, handlers,
// interceptors and stats handlers can see of them, and compares that with what they see over
// HTTP/2, field by field. A case also says itself what is essential, so that two transports cannot
// agree on something wrong.
package conformance_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// transport is a way to carry calls, and the options that make both ends use it.
type transport struct {
	name    string
	carrier string // "http2" or "direct"
	server  []runtime.ServerOption
	dial    []runtime.DialOption

	oldStubs bool // the service's stubs take a *grpc.Server and a *grpc.ClientConn
	files    bool // open files may come on the same connections, for another service
}

// transports lists what the cases run over. The first is the reference.
var transports = []transport{
	{
		name:    "http2",
		carrier: "http2",
		server:  []runtime.ServerOption{runtime.HTTP2Only()},
		dial:    []runtime.DialOption{runtime.WithHTTP2Only()},
	},
	{name: "direct", carrier: "direct"},
	{name: "direct beside files", carrier: "direct", files: true},
	{name: "old server", carrier: "http2", server: []runtime.ServerOption{runtime.HTTP2Only()}},
	{name: "old client", carrier: "http2", dial: []runtime.DialOption{runtime.WithHTTP2Only()}},
	{name: "old stubs", carrier: "direct", oldStubs: true},
	{
		name:     "old stubs over http2",
		carrier:  "http2",
		server:   []runtime.ServerOption{runtime.HTTP2Only()},
		dial:     []runtime.DialOption{runtime.WithHTTP2Only()},
		oldStubs: true,
	},
}

// What old stubs declare. The functions of new ones take these types too, as they take interfaces.
var (
	oldRegister  = func(s *grpc.Server, svc testpb.TestServiceServer) { testpb.RegisterTestServiceServer(s, svc) }
	oldNewClient = func(cc *grpc.ClientConn) testpb.TestServiceClient { return testpb.NewTestServiceClient(cc) }
)

// transportOf returns which of the transports carries a call, by its name.
func transportOf(p *peer.Peer) string {
	if info, ok := p.AuthInfo.(runtime.AuthInfo); ok && info.Direct {
		return "direct"
	}
	return "http2"
}

// guard is how long a case may take before its calls are cancelled, so that one that hangs
// fails and says where. No case depends on it.
const guard = fixture.Guard

// cases are the conformance cases of one theme: a name that says how calls behave, and the
// calls that show it.
type cases map[string]func(*rig)

// conform runs cases over every transport and compares what was seen.
func conform(t *testing.T, cs cases) {
	t.Parallel()
	for name, run := range cs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := make([]map[string][]observation, len(transports))
			var over sync.WaitGroup
			for i, tr := range transports {
				over.Go(func() { // at the same time: cases mostly wait
					t.Run(tr.name, func(t *testing.T) {
						b := newRig(t, tr)
						// Registered first, it runs last: when no handler is left that could add to it.
						t.Cleanup(func() { seen[i] = b.seen() })
						b.awaitHandlersAtEnd()
						run(b)
					})
				})
			}
			over.Wait()
			for i, tr := range transports[1:] {
				reference, got := seen[0], seen[i+1]
				if reference == nil || got == nil {
					continue // -run has left it out
				}
				if diff := cmp.Diff(reference, got, comparison); diff != "" {
					t.Errorf("calls are not the same over %s (-) and %s (+):\n%s", transports[0].name, tr.name, diff)
				}
			}
		})
	}
}

// rig is what a case works with: a socket, both ends of it, and what each of them has seen.
type rig struct {
	*testing.T
	ctx       context.Context // of calls; it has no deadline, and ends after the last handler
	path      string
	transport transport

	client, server *track
	lanes          []*track // all tracks

	elsewhere bool // calls may be carried by another transport
	handlers  atomic.Int64
}

func newRig(t *testing.T, tr transport) *rig {
	ctx, cancel := context.WithCancelCause(context.Background())
	timer := time.AfterFunc(guard, func() { cancel(errors.New("the case hangs")) })
	t.Cleanup(func() {
		timer.Stop()
		cancel(nil)
	})
	b := &rig{T: t, ctx: ctx, path: fixture.FreePath(t), transport: tr}
	b.client, b.server = b.track("client"), b.track("server")
	return b
}

// track adds a track for what happens in an order of its own.
func (b *rig) track(name string) *track {
	tr := &track{b: b, name: name}
	b.lanes = append(b.lanes, tr)
	return tr
}

func (b *rig) seen() map[string][]observation {
	seen := map[string][]observation{}
	for _, tr := range b.lanes {
		tr.mu.Lock()
		seen[tr.name] = slices.Clone(tr.list)
		tr.mu.Unlock()
	}
	return seen
}

// carriedElsewhere says that the direct transport may leave calls of this case to HTTP/2. What
// is seen of them must be the same nevertheless.
func (b *rig) carriedElsewhere() { b.elsewhere = true }

// serve runs a service until the end of the case.
func (b *rig) serve(svc service, opts ...runtime.ServerOption) *served {
	b.Helper()
	return b.run(b.newServer(svc, opts...))
}

// served is a server that runs for the length of a case.
type served struct {
	*runtime.Server
	Stop context.CancelFunc // begins the drain
	Done chan error         // gets what Serve returned
}

// run serves until the end of the case, and then does not drain, which takes a while.
func (b *rig) run(srv *runtime.Server) *served {
	ctx, stop := context.WithCancel(context.Background())
	s := &served{Server: srv, Stop: stop, Done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Done <- srv.Serve(ctx)
	}()
	b.Cleanup(func() {
		srv.Close()
		stop()
		<-ended
	})
	return s
}

func (b *rig) newServer(svc service, opts ...runtime.ServerOption) *runtime.Server {
	b.Helper()
	own := append(slices.Clone(b.transport.server), runtime.UnaryInterceptor(b.aroundUnary), runtime.StreamInterceptor(b.aroundStream))
	srv, err := runtime.NewServer(b.path, append(own, opts...)...)
	if err != nil {
		b.Fatal(err)
	}
	if b.transport.files {
		filetestv1.RegisterFilesServer(srv, filetestv1.UnimplementedFilesServer{})
	}
	if b.transport.oldStubs {
		runtime.RegisterOn(srv, oldRegister, testpb.TestServiceServer(svc))
	} else {
		testpb.RegisterTestServiceServer(srv, svc)
	}
	return srv
}

// dial returns a client, which is closed at the end of the case.
func (b *rig) dial(opts ...runtime.DialOption) (testpb.TestServiceClient, *runtime.ClientConn) {
	b.Helper()
	conn, err := runtime.Dial(b.path, append(slices.Clone(b.transport.dial), opts...)...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	if b.transport.oldStubs {
		client, err := runtime.ClientOn(conn, oldNewClient)
		if err != nil {
			b.Fatal(err)
		}
		return client, conn
	}
	return testpb.NewTestServiceClient(conn), conn
}

// start runs a service, and returns a client of it that is connected.
func (b *rig) start(svc service, opts ...runtime.ServerOption) (testpb.TestServiceClient, *runtime.ClientConn) {
	b.Helper()
	b.serve(svc, opts...)
	client, conn := b.dial()
	b.ready(conn)
	return client, conn
}

// ready waits until conn is connected, for cases whose calls must not wait for that.
func (b *rig) ready(conn *runtime.ClientConn) {
	b.Helper()
	if err := conn.WaitReady(b.ctx); err != nil {
		b.Fatal(err)
	}
}

// aroundUnary and aroundStream keep account of the handlers that run, and see which transport
// has brought the call.

func (b *rig) aroundUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	defer b.around(ctx)()
	return next(ctx, req)
}

func (b *rig) aroundStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	defer b.around(ss.Context())()
	return next(srv, ss)
}

func (b *rig) around(ctx context.Context) (leave func()) {
	b.handlers.Add(1)
	p, ok := peer.FromContext(ctx)
	if !ok {
		b.Error("the handler's context has no peer")
	} else if got := transportOf(p); got != b.transport.carrier && !b.elsewhere {
		b.Errorf("the call came over %s, and was to come over %s", got, b.transport.carrier)
	}
	return func() { b.handlers.Add(-1) }
}

// awaitHandlersAtEnd is for handlers that outlive their call, or even the server.
func (b *rig) awaitHandlersAtEnd() {
	b.Cleanup(func() {
		fixture.Eventually(b, "the handlers to return", func() bool { return b.handlers.Load() == 0 })
	})
}

// service is a TestService whose methods do what the case says; those left out echo.
type service struct {
	testpb.UnimplementedTestServiceServer

	unary  func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error)
	gather func(gatherServer) error
	list   func(*testpb.StreamingOutputCallRequest, listServer) error
	chat   func(chatServer) error
}

type (
	gatherServer = grpc.ClientStreamingServer[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse]
	listServer   = grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]
	chatServer   = grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]
	chatClient   = grpc.BidiStreamingClient[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]
)

// Names of the methods, as calls that are not made by generated code need them.
const (
	unaryMethod  = testpb.TestService_UnaryCall_FullMethodName
	gatherMethod = testpb.TestService_StreamingInputCall_FullMethodName
	listMethod   = testpb.TestService_StreamingOutputCall_FullMethodName
	chatMethod   = testpb.TestService_FullDuplexCall_FullMethodName
)

func (s service) UnaryCall(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if s.unary != nil {
		return s.unary(ctx, req)
	}
	return &testpb.SimpleResponse{Payload: req.GetPayload()}, nil
}

// StreamingInputCall returns the sum of the sizes.
func (s service) StreamingInputCall(stream gatherServer) error {
	if s.gather != nil {
		return s.gather(stream)
	}
	sum := 0
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)})
		}
		if err != nil {
			return err
		}
		sum += len(req.GetPayload().GetBody())
	}
}

// StreamingOutputCall sends as many responses as were asked for, of the sizes asked for.
func (s service) StreamingOutputCall(req *testpb.StreamingOutputCallRequest, stream listServer) error {
	if s.list != nil {
		return s.list(req, stream)
	}
	for _, p := range req.GetResponseParameters() {
		if err := stream.Send(outgoing(strings.Repeat("x", int(p.GetSize())))); err != nil {
			return err
		}
	}
	return nil
}

func (s service) FullDuplexCall(stream chatServer) error {
	if s.chat != nil {
		return s.chat(stream)
	}
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: req.GetPayload()}); err != nil {
			return err
		}
	}
}

// The messages of the service, with a text as what they carry.

func payload(text string) *testpb.Payload { return &testpb.Payload{Body: []byte(text)} }

func request(text string) *testpb.SimpleRequest { return &testpb.SimpleRequest{Payload: payload(text)} }

func reply(text string) *testpb.SimpleResponse { return &testpb.SimpleResponse{Payload: payload(text)} }

func part(text string) *testpb.StreamingInputCallRequest {
	return &testpb.StreamingInputCallRequest{Payload: payload(text)}
}

func incoming(text string) *testpb.StreamingOutputCallRequest {
	return &testpb.StreamingOutputCallRequest{Payload: payload(text)}
}

func outgoing(text string) *testpb.StreamingOutputCallResponse {
	return &testpb.StreamingOutputCallResponse{Payload: payload(text)}
}

func textOf(m interface{ GetPayload() *testpb.Payload }) string {
	return string(m.GetPayload().GetBody())
}
