package load_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// soaker makes calls of all kinds and counts what they come to.
type soaker struct {
	t      *testing.T
	client greeterv1.GreeterClient
	conn   *runtime.ClientConn

	ok, direct atomic.Int64
	failed     [codes.Unauthenticated + 1]atomic.Int64
}

// soakCalls are the calls, which return what came of them as text, and what should have.
var soakCalls = []func(*soaker, context.Context) (got, want string, err error){
	(*soaker).greet, (*soaker).greet, (*soaker).chat, (*soaker).gather, (*soaker).countdown, (*soaker).waitInVain,
}

// somewhat returns text of a random length, mostly short.
func somewhat() string {
	n := rand.IntN(1 << rand.IntN(19))
	return strings.Repeat(string(rune('a'+rand.IntN(26))), n)
}

func (s *soaker) greet(ctx context.Context) (got, want string, err error) {
	name := somewhat()
	var p peer.Peer
	resp, err := s.client.Greet(ctx, &greeterv1.GreetRequest{Name: name}, grpc.Peer(&p))
	if err == nil && greetertest.TransportOf(&p) == "direct" {
		s.direct.Add(1)
	}
	return resp.GetGreeting(), "Hello, " + name, err
}

// waitInVain is cancelled, or runs into its deadline, or is let go by a server that drains.
func (s *soaker) waitInVain(ctx context.Context) (got, want string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := time.Duration(rand.IntN(int(5 * time.Millisecond)))
	if rand.IntN(2) == 0 {
		defer time.AfterFunc(d, cancel).Stop()
	} else {
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	resp, err := s.client.Greet(ctx, &greeterv1.GreetRequest{Name: "wait"})
	return resp.GetGreeting(), "Hello, wait", err
}

func (s *soaker) chat(ctx context.Context) (got, want string, err error) {
	ctx, cancel := context.WithCancel(ctx) // so that one that fails is over
	defer cancel()
	stream, err := s.client.Chat(ctx)
	if err != nil {
		return "", "", err
	}
	var lines []string
	for range rand.IntN(20) {
		lines = append(lines, somewhat())
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, line := range lines {
			if stream.Send(&greeterv1.ChatRequest{Line: line}) != nil {
				return // Recv finds out why
			}
		}
		stream.CloseSend()
	}()
	var answers []string
	for {
		resp, err := stream.Recv()
		if err != nil {
			cancel()
			<-sent
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return strings.Join(answers, " "), strings.Join(lines, " "), err
		}
		answers = append(answers, resp.GetLine())
	}
}

func (s *soaker) gather(ctx context.Context) (got, want string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.client.Gather(ctx)
	if err != nil {
		return "", "", err
	}
	var names []string
	for range rand.IntN(10) {
		name := somewhat()
		names = append(names, name)
		if err := stream.Send(&greeterv1.GatherRequest{Name: name}); err != nil {
			break
		}
	}
	resp, err := stream.CloseAndRecv()
	return resp.GetGreeting(), strings.Join(names, " "), err
}

func (s *soaker) countdown(ctx context.Context) (got, want string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from := rand.Int32N(200)
	stream, err := s.client.Countdown(ctx, &greeterv1.CountdownRequest{From: from})
	if err != nil {
		return "", "", err
	}
	leave := rand.Int32N(400) // some leave before the end
	for n := from; ; n-- {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return fmt.Sprint(n), "-1", nil
		}
		if err != nil || leave == n {
			return "", "", err
		}
		if resp.GetNumber() != n {
			return fmt.Sprint(resp.GetNumber()), fmt.Sprint(n), nil
		}
	}
}

// run makes calls until ctx ends.
func (s *soaker) run(ctx context.Context) {
	for ctx.Err() == nil {
		timed, cancel := context.WithTimeout(ctx, fixture.Guard)
		got, want, err := soakCalls[rand.IntN(len(soakCalls))](s, timed)
		hung := errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil
		cancel()
		switch code := status.Code(err); {
		case hung:
			s.t.Errorf("a call hangs: %v", err)
		case code == codes.OK:
			s.ok.Add(1)
			if got != want {
				s.t.Errorf("a call comes to %d bytes, %.60q, and should to %d, %.60q", len(got), got, len(want), want)
			}
		case code == codes.Unavailable, code == codes.Canceled, code == codes.DeadlineExceeded:
			s.failed[code].Add(1)
			if code == codes.Unavailable {
				s.conn.WaitReady(ctx) // rather than to fail again and again
			}
		default:
			s.t.Errorf("a call comes to %v", err)
		}
	}
}

// TestSoak makes calls of all kinds for as long as UDSGRPC_SOAK says, while servers are killed and drained:
// what arrives is right, failures are such as must be expected, and in the end nothing is left.
func TestSoak(t *testing.T) {
	if os.Getenv("UDSGRPC_SOAK") == "" {
		t.Skip("UDSGRPC_SOAK is not set to a duration")
	}
	duration, err := time.ParseDuration(os.Getenv("UDSGRPC_SOAK"))
	if err != nil {
		t.Fatal(err)
	}
	path := fixture.FreePath(t)
	// The first server and client make what is made once and stays.
	srv := greetertest.Serve(t, path, greetertest.New())
	client, conn := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	conn.Close()
	srv.Stop()
	<-srv.Done
	goroutines, files, heap := goruntime.NumGoroutine(), fixture.OpenFiles(t), heapInUse()

	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	client, conn = greetertest.Dial(t, path)
	s := &soaker{t: t, client: client, conn: conn}
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() { s.run(ctx) })
	}
	killed, drained := 0, 0
	for ctx.Err() == nil {
		p := testproc.Start(t, "greeter", path)
		p.Line()
		var reading sync.WaitGroup
		reading.Go(func() {
			for more := true; more; { // it must be able to print
				_, more = p.NextLine()
			}
		})
		select {
		case <-time.After(time.Duration(rand.IntN(int(time.Second)))):
		case <-ctx.Done():
		}
		if rand.IntN(2) == 0 {
			p.Kill()
			killed++
		} else {
			p.Process.Signal(syscall.SIGTERM)
			drained++
		}
		reading.Wait()
		if err := p.WaitExit(); err != nil && !strings.Contains(err.Error(), "signal: killed") {
			t.Errorf("a server ends with %v", err)
		}
	}
	callers.Wait()
	conn.Close()
	t.Logf("%d calls succeeded, %d of them unary and direct; %d were Unavailable, %d Canceled, %d DeadlineExceeded; %d servers were killed, %d drained",
		s.ok.Load(), s.direct.Load(), s.failed[codes.Unavailable].Load(), s.failed[codes.Canceled].Load(), s.failed[codes.DeadlineExceeded].Load(), killed, drained)
	if s.direct.Load() == 0 {
		t.Error("no call was carried by the direct transport")
	}
	fixture.Eventually(t, "the goroutines to end", func() bool { return goruntime.NumGoroutine() <= goroutines })
	fixture.Eventually(t, "the files to be closed", func() bool { return fixture.OpenFiles(t) <= files })
	if after := heapInUse(); after > heap+64<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", heap, after)
	}
}

func heapInUse() uint64 {
	goruntime.GC()
	goruntime.GC() // empties pools, too
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc
}
