package direct

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// blob is the message of these tests.
type blob = wrapperspb.BytesValue

// service has a method of each kind, all of which do what a test wants. By default they echo.
type service struct {
	unary  func(context.Context, *blob) (*blob, error)
	stream func(grpc.ServerStream) error
}

const (
	unaryMethod = "/t.T/Unary"
	upMethod    = "/t.T/Up"
	downMethod  = "/t.T/Down"
	bothMethod  = "/t.T/Both"
)

var (
	upDesc   = grpc.StreamDesc{StreamName: "Up", ClientStreams: true}
	downDesc = grpc.StreamDesc{StreamName: "Down", ServerStreams: true}
	bothDesc = grpc.StreamDesc{StreamName: "Both", ClientStreams: true, ServerStreams: true}
)

func (s *service) desc() *grpc.ServiceDesc {
	d := &grpc.ServiceDesc{ServiceName: "t.T"}
	unary := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		req := &blob{}
		if err := decode(req); err != nil || s.unary == nil {
			return req, err
		}
		return s.unary(ctx, req)
	}
	d.Methods = []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}}
	for _, sd := range []grpc.StreamDesc{upDesc, downDesc, bothDesc} {
		sd.Handler = func(_ any, ss grpc.ServerStream) error {
			if s.stream == nil {
				return echo(ss)
			}
			return s.stream(ss)
		}
		d.Streams = append(d.Streams, sd)
	}
	return d
}

// echo sends back what it receives.
func echo(ss grpc.ServerStream) error {
	for {
		m := &blob{}
		err := ss.RecvMsg(m)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = ss.SendMsg(m)
		}
		if err != nil {
			return err
		}
	}
}

// pair returns both ends of a new connection.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

// testRings are those of both ends: calls go over rings from the first on, unless the environment says otherwise.
func testRings() Rings {
	return Rings{On: RingsAtOnce.Load(), For: func(credentials.AuthInfo) bool { return true }}
}

// host is a server that runs for the length of a test.
type host struct {
	*Server
	t    testing.TB
	errs chan error // the errors that Serve returned
	runs sync.WaitGroup
}

func newHost(t testing.TB, s service, conf ServerConfig) *host {
	if conf.MaxConns == 0 {
		conf.MaxConns = 1000
	}
	if !conf.Rings.On && conf.Rings.Failed == nil {
		conf.Rings = testRings()
	}
	h := &host{Server: NewServer(conf), t: t, errs: make(chan error, 10000)}
	h.Register(s.desc(), nil)
	t.Cleanup(func() {
		h.Stop()
		h.runs.Wait()
	})
	return h
}

// accept serves a new connection.
func (h *host) accept(c *net.UnixConn) {
	h.runs.Go(func() {
		preface := make([]byte, PrefaceLen)
		if _, err := io.ReadFull(c, preface); err != nil {
			c.Close()
			return
		}
		h.errs <- h.Serve(c, preface, nil)
	})
}

// connect returns the client's end of a connection on which calls can be made.
func (h *host) connect() *rawConn {
	h.t.Helper()
	client, server := pair(h.t)
	h.accept(server)
	w := newRawConn(h.t, client)
	w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil), frame(wire.KindIntro, 0))
	hello := make([]byte, wire.AnswerLen)
	if _, err := io.ReadFull(w.in, hello); err != nil || hello[wire.AnswerLen-2] != wire.Version {
		h.t.Fatalf("hello is %q, %v", hello, err)
	}
	return w
}

// site is the place that a Client connects to.
type site struct {
	t testing.TB

	mu     sync.Mutex
	accept func(*net.UnixConn) // what accepts connections now; nil for nothing
	errno  unix.Errno          // the error of connecting then
	dials  int
}

func newSite(t testing.TB, accept func(*net.UnixConn)) *site {
	return &site{t: t, accept: accept, errno: unix.ECONNREFUSED}
}

func (s *site) dial(context.Context) (*net.UnixConn, credentials.AuthInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	if s.accept == nil {
		return nil, nil, os.NewSyscallError("connect", s.errno)
	}
	client, server := pair(s.t)
	s.accept(server)
	return client, nil, nil
}

func (s *site) move(accept func(*net.UnixConn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept = accept
}

func (s *site) dialed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

// newClient returns a client that connects to accept.
func newClient(t testing.TB, accept func(*net.UnixConn)) (*Client, *site) {
	s := newSite(t, accept)
	c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 100, Rings: testRings()})
	t.Cleanup(c.Close)
	return c, s
}

// invoke makes a unary call that must end soon.
func invoke(t testing.TB, c *Client, content string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	reply := &blob{}
	err := c.Invoke(ctx, unaryMethod, &blob{Value: []byte(content)}, reply, nil)
	return string(reply.Value), err
}

// mustEcho makes a unary call that must succeed.
func mustEcho(t testing.TB, c *Client, content string) {
	t.Helper()
	if got, err := invoke(t, c, content); err != nil || got != content {
		t.Fatalf("the echo of %.20q is %.20q, %v", content, got, err)
	}
}

func open(t testing.TB, c *Client, desc *grpc.StreamDesc) grpc.ClientStream {
	t.Helper()
	s, err := c.NewStream(t.Context(), desc, "/t.T/"+desc.StreamName, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rawConn is an end of a connection on which a test writes any bytes.
type rawConn struct {
	t testing.TB
	*net.UnixConn
	in *bufio.Reader
}

func newRawConn(t testing.TB, c *net.UnixConn) *rawConn {
	c.SetDeadline(time.Now().Add(fixture.Guard))
	return &rawConn{t, c, bufio.NewReader(c)}
}

func (w *rawConn) send(parts ...[]byte) {
	w.t.Helper()
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			w.t.Fatalf("write: %v", err)
		}
	}
}

// next reads a frame.
func (w *rawConn) next() (wire.Kind, []byte, error) {
	var h [wire.FrameHeaderLen]byte
	if _, err := io.ReadFull(w.in, h[:]); err != nil {
		return 0, nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(h[1:]))
	_, err := io.ReadFull(w.in, b)
	return wire.Kind(h[0]), b, err
}

// want reads a frame, which must be of kind k.
func (w *rawConn) want(k wire.Kind) []byte {
	w.t.Helper()
	got, b, err := w.next()
	if err != nil || got != k {
		w.t.Fatalf("next is a frame of kind %q (%q), %v; want %q", got, b, err, k)
	}
	return b
}

func (w *rawConn) wantStatus() wire.Status {
	w.t.Helper()
	h, err := wire.ParseStatus(w.want(wire.KindStatus))
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// wantClosed waits until the other end has closed the connection.
func (w *rawConn) wantClosed() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.in); len(rest) > 0 || err != nil && !errors.Is(err, unix.ECONNRESET) {
		w.t.Fatalf("next is %q, %v; want the end of the connection", rest, err)
	}
}

func frame(k wire.Kind, content ...byte) []byte {
	return append(wire.AppendFrameHeader(nil, k, len(content)), content...)
}

func callFrame(method string, md metadata.MD) []byte {
	return frame(wire.KindCall, wire.AppendCallHeader(nil, 0, method, md)...)
}

func messageFrame(content string) []byte {
	b, err := proto.Marshal(&blob{Value: []byte(content)})
	if err != nil {
		panic(err)
	}
	return frame(wire.KindMessage, b...)
}

func statusFrame(h wire.Status) []byte { return frame(wire.KindStatus, h.Append(nil)...) }

// unaryCall returns a whole call.
func unaryCall(content string) []byte {
	return concat(callFrame(unaryMethod, nil), messageFrame(content), endFrame)
}

func concat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// fake returns a function that accepts connections as a server does, and then runs script.
func fake(t testing.TB, script func(*rawConn)) func(*net.UnixConn) {
	return fakeWith(t, wire.Answer{Version: wire.Version, TakesFiles: true}, script)
}

// fakeWith is fake with another answer to the preface.
func fakeWith(t testing.TB, answer wire.Answer, script func(*rawConn)) func(*net.UnixConn) {
	var runs sync.WaitGroup
	t.Cleanup(runs.Wait)
	return func(c *net.UnixConn) {
		runs.Go(func() {
			defer c.Close()
			w := newRawConn(t, c)
			if _, err := io.CopyN(io.Discard, w.in, int64(PrefaceLen)); err != nil {
				return
			}
			if _, _, err := w.next(); err != nil {
				return
			}
			if _, err := w.Write(answer.Append(nil)); err == nil {
				script(w)
			}
		})
	}
}

// skipCall reads a call up to its end. It reports whether there was one.
func (w *rawConn) skipCall() bool {
	for {
		switch k, _, err := w.next(); {
		case err != nil:
			return false
		case k == wire.KindEnd:
			return true
		}
	}
}
