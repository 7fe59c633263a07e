package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// moreCases are some that gRPC has none for. Clients in other languages have them by the same names.
func moreCases() map[string]testCase {
	return map[string]testCase{
		"all_bytes_in_metadata":    allBytesInMetadata,
		"compressed":               compressed,
		"deadline_between_replies": deadlineBetweenReplies,
		"request_of_5_mib":         besideAStream(simple(5<<20, 1), codes.ResourceExhausted),
		"reply_of_5_mib":           besideAStream(simple(1, 5<<20), codes.ResourceExhausted),
		"error_of_100_kib": besideAStream(&testgrpc.SimpleRequest{ResponseStatus: &testgrpc.EchoStatus{
			Code: int32(codes.Unknown), Message: strings.Repeat("x", 100<<10)}}, codes.Unknown),
	}
}

func moreCaseNames() []string { return slices.Sorted(maps.Keys(moreCases())) }

func simple(size, replySize int) *testgrpc.SimpleRequest {
	return &testgrpc.SimpleRequest{ResponseSize: int32(replySize), Payload: &testgrpc.Payload{Body: make([]byte, size)}}
}

func allBytesInMetadata(ctx context.Context, conn grpc.ClientConnInterface) error {
	const key = "x-grpc-test-echo-trailing-bin"
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	var trailer metadata.MD
	ctx = metadata.AppendToOutgoingContext(ctx, key, string(every))
	if _, err := testgrpc.NewTestServiceClient(conn).UnaryCall(ctx, simple(1, 1), grpc.Trailer(&trailer)); err != nil {
		return err
	}
	if got := trailer.Get(key); len(got) != 1 || !bytes.Equal([]byte(got[0]), every) {
		return fmt.Errorf("got %q back", got)
	}
	return nil
}

func compressed(ctx context.Context, conn grpc.ClientConnInterface) error {
	reply, err := testgrpc.NewTestServiceClient(conn).UnaryCall(ctx, simple(271828, 314159), grpc.UseCompressor("gzip"))
	if err == nil && len(reply.GetPayload().GetBody()) != 314159 {
		err = fmt.Errorf("the reply has %d bytes", len(reply.GetPayload().GetBody()))
	}
	return err
}

func deadlineBetweenReplies(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	stream, err := testgrpc.NewTestServiceClient(conn).StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{
		ResponseParameters: []*testgrpc.ResponseParameters{{Size: 1}, {Size: 1, IntervalUs: 3_000_000}}})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if _, err := stream.Recv(); status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("got %v, want DeadlineExceeded", err)
	}
	return nil
}

// besideAStream makes a call that fails with this code, beside a stream that goes on.
func besideAStream(req *testgrpc.SimpleRequest, want codes.Code) testCase {
	return func(ctx context.Context, conn grpc.ClientConnInterface) error {
		client := testgrpc.NewTestServiceClient(conn)
		stream, err := client.FullDuplexCall(ctx)
		if err != nil {
			return err
		}
		if err := exchange(stream); err != nil {
			return err
		}
		_, failure := client.UnaryCall(ctx, req)
		if err := exchange(stream); err != nil {
			return fmt.Errorf("another call ends, too, with %w", err)
		}
		if status.Code(failure) != want {
			return fmt.Errorf("got code %v, want %v: %.300s", status.Code(failure), want, status.Convert(failure).Message())
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("the stream ends with %w", err)
		}
		_, err = client.EmptyCall(ctx, &testgrpc.Empty{})
		return err
	}
}

// exchange sends a request and receives a reply.
func exchange(stream testgrpc.TestService_FullDuplexCallClient) error {
	err := stream.Send(&testgrpc.StreamingOutputCallRequest{ResponseParameters: []*testgrpc.ResponseParameters{{Size: 1}}})
	if err == nil || errors.Is(err, io.EOF) { // EOF: Recv tells why
		_, err = stream.Recv()
	}
	return err
}

// moreOfClient runs these cases with a client in another language.
func moreOfClient(c *cell, l language) {
	client := l.client(c)
	path := socketPath(c)
	var squeezed compression
	c.serve(path, runtime.StatsHandler(&squeezed))
	for _, name := range moreCaseNames() {
		out, err := client(soon(c), path, name).CombinedOutput()
		c.oddly(l.odd, name, err == nil && strings.Contains(string(out), "ok "+name+"\n"), string(out))
	}
	detailed := socketPath(c)
	c.serve(detailed, runtime.UnaryInterceptor(withDetails))
	out, err := client(soon(c), detailed, "error_of_100_kib").CombinedOutput()
	c.check(err == nil && strings.Contains(string(out), "ok error_of_100_kib\n"), "with details: %s", out)
	_, odd := l.odd["compressed"]
	c.check(squeezed.Load() != odd, "a request has come compressed: %t", squeezed.Load())
}

// withDetails adds details to errors, of the largest size that is kept beside a long text.
func withDetails(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	reply, err := next(ctx, req)
	if err == nil {
		return reply, nil
	}
	st, err := status.Convert(err).WithDetails(simple(3500, 0))
	if err != nil {
		return nil, err
	}
	return nil, st.Err()
}

// moreOfServer runs them with both transports of this project's client.
func moreOfServer(c *cell, l language) {
	path := socketPath(c)
	c.startServer(path, l.server(c)(context.Background(), path))
	for _, kind := range []clientKind{ours, oursHTTP2} {
		for _, name := range moreCaseNames() {
			out, err := child(soon(c), c, "case", string(kind), path, name).CombinedOutput()
			c.oddly(l.oddAsServer, name, err == nil, string(out))
		}
	}
}

// oddly checks a case that has to be ok, unless it is known to fail with such words: then it has to.
func (c *cell) oddly(odd map[string]string, name string, ok bool, out string) {
	c.Helper()
	words, known := odd[name]
	if !known && !ok && name == "deadline_between_replies" && serverWasFirst(out) {
		c.checks++
		c.say("a deadline that the server notices first: Canceled")
		return
	}
	if !known {
		c.check(ok, "%s: %s", name, out)
		return
	}
	c.check(!ok && strings.Contains(out, words), "%s: want %q: %s", name, words, out)
	if remark := name + ": " + words; !strings.Contains(c.remark, remark) {
		c.say(remark)
	}
}

// serverWasFirst reports whether a server has noticed a deadline before its client, and has reset the stream with
// CANCEL (8). grpclib tells of that as it is.
func serverWasFirst(out string) bool {
	return strings.Contains(out, "got code 1, want 4") ||
		strings.Contains(out, "got code StreamTerminatedError, want 4: Stream reset by remote party, error_code: 8")
}

// compression knows whether a compressed request has come.
type compression struct{ atomic.Bool }

func (s *compression) HandleRPC(_ context.Context, event stats.RPCStats) {
	if in, ok := event.(*stats.InPayload); ok && in.CompressedLength < in.Length {
		s.Store(true)
	}
}

func (s *compression) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (s *compression) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (s *compression) HandleConn(context.Context, stats.ConnStats)                       {}

// refused has a client call a server that lets in none but another user.
func refused(c *cell, l language) {
	client := l.client(c)
	path := socketPath(c)
	c.serve(path, runtime.SocketMode(0o666), runtime.Authorize(runtime.AllowUID(4_000_000)))
	out, _ := client(soon(c), path, "empty_unary").Output()
	c.contains(string(out), "failed empty_unary", "uid 0", "4000000")
	said := regexp.MustCompile(`process [0-9]+`).ReplaceAllString(string(out), "process PID")
	c.say(strings.TrimSpace(strings.TrimPrefix(said, "failed empty_unary:")))
}

// staleFiles kills a server in another language and starts it again, and starts it beside one that runs.
func staleFiles(c *cell, l language) {
	path := socketPath(c)
	server := l.server(c)
	first := c.startServer(path, server(context.Background(), path))
	second := c.begins(server(context.Background(), path))
	c.say("over that of a running server: " + second)
	if err := first.Process.Kill(); err != nil {
		c.Fatalf("%v", err)
	}
	<-first.exited
	third := c.begins(server(context.Background(), path))
	c.say("over a stale one: " + third)
	c.check(strings.Contains(second+third, "serves") || second == third, "%s, %s", second, third)
}

// begins says whether a server serves or ends.
func (c *cell) begins(cmd *exec.Cmd) string {
	c.Helper()
	d := c.start(cmd)
	outcome := ""
	c.waitFor(cmd.Path+" to serve or to end", func() bool {
		if strings.Contains(d.log.String(), "serving\n") {
			outcome = "serves"
			return true
		}
		select {
		case <-d.exited:
			outcome = "ends with an error"
			return true
		default:
			return false
		}
	})
	return outcome
}

// silence has every client that pings at all do so on a stream that is silent for ten minutes.
func silence() row {
	return row{name: "all clients that have it", slow: true, run: func(c *cell) {
		path := socketPath(c)
		c.serve(path)
		held := map[string]*told{}
		for _, l := range languages() {
			if !l.noKeepalive && !l.slow {
				held[l.name] = c.startHold(l.client(c).of(c.Context(), path), 10*time.Second)
			}
		}
		c.version = ""
		select {
		case <-time.After(10 * time.Minute):
		case <-c.Context().Done():
		}
		for _, name := range slices.Sorted(maps.Keys(held)) {
			outcome := c.endHold(held[name])
			c.check(outcome == "ok", "%s: %s", name, outcome)
			c.say(name)
		}
	}}
}

// ourTakeovers are takeovers with this project's client.
func ourTakeovers() []row {
	of := func(name string, kind clientKind) row {
		return row{name: name, run: func(c *cell) {
			path := socketPath(c)
			server := c.startOurs(path)
			c.takeoversUnder(c.startLoad(c.ourProgram(kind).of(c.Context(), path), callers), path, server, false)
		}}
	}
	return []row{of("this project's client", ours), of("this project's client, `WithHTTP2Only()`", oursHTTP2)}
}
