package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// callKey is the metadata that names a call.
const callKey = "call"

// serveAndNote is a program: a greeter that notes the name of each call that it processes in a file. At SIGUSR1 it
// prints what the process has.
func serveAndNote(args []string) error {
	notes, err := os.OpenFile(args[1], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer notes.Close()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			fmt.Println("has", belongings())
		}
	}()
	note := func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		_, err := fmt.Fprintln(notes, strings.Join(md.Get(callKey), " "))
		return err
	}
	return greetertest.ServeUntilTerminated(args[0],
		runtime.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := note(ctx); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}),
		runtime.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := note(s.Context()); err != nil {
				return err
			}
			return next(srv, s)
		}))
}

// belongs is what a process has that connections take.
type belongs struct{ descriptors, rings, goroutines int }

func belongings() belongs {
	fds, _ := os.ReadDir("/proc/self/fd")
	maps, _ := os.ReadFile("/proc/self/maps")
	return belongs{len(fds), bytes.Count(maps, []byte("udsgrpc-ring")), goruntime.NumGoroutine()}
}

// callAndNote is a program: it makes all kinds of calls, several at a time, until SIGTERM. Then it prints how many
// succeeded and how many failed, and what is left of the connections. An answer that is wrong, or a call that goes on
// long after its deadline, is an error.
func callAndNote(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	before := belongings()
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	var succeeded, failed atomic.Int64
	var first sync.Once
	problems := make(chan error, 100)
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				patience := []time.Duration{2 * time.Millisecond, 20 * time.Millisecond, 2 * time.Second}[rand.IntN(3)]
				deadline := time.Now().Add(patience)
				callCtx, cancel := context.WithDeadline(context.Background(), deadline)
				callCtx = metadata.AppendToOutgoingContext(callCtx, callKey, fmt.Sprintf("%d-%d-%d", os.Getpid(), caller, n))
				err := anyCall(callCtx, client)
				cancel()
				switch {
				case time.Since(deadline) > fixture.Guard/2:
					err = fmt.Errorf("a call took %v longer than its deadline: %v", time.Since(deadline), err)
				case err == nil:
					succeeded.Add(1)
					first.Do(func() { fmt.Println("called") })
					continue
				case isStatus(err):
					failed.Add(1)
					continue
				}
				select {
				case problems <- err:
				default:
				}
			}
		})
	}
	callers.Wait()
	conn.Close()
	left := belongings()
	for wait := time.Now(); time.Since(wait) < fixture.Guard && left.more(before); left = belongings() {
		<-time.After(time.Millisecond)
	}
	fmt.Printf("%d succeeded, %d failed, %d connections moved\n", succeeded.Load(), failed.Load(), conn.Stats().Rings)
	if left.more(before) {
		return fmt.Errorf("in the beginning it had %v, and in the end %v", before, left)
	}
	close(problems)
	for err := range problems {
		return err
	}
	return nil
}

// more reports whether there is more of anything than before.
func (b belongs) more(before belongs) bool {
	return b.descriptors > before.descriptors || b.rings > before.rings || b.goroutines > before.goroutines
}

func isStatus(err error) bool {
	_, ok := status.FromError(err)
	return ok
}

// anyCall makes a call of some kind. An error that is not a status says that the answer is wrong.
func anyCall(ctx context.Context, client greeterv1.GreeterClient) error {
	text := strings.Repeat("x", []int{1, 1000, 200 << 10}[rand.IntN(3)])
	switch rand.IntN(4) {
	case 0, 1:
		r, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: text}, grpc.WaitForReady(true))
		if err == nil && r.GetGreeting() != "Hello, "+text {
			return fmt.Errorf("a greeting of %d bytes has %d", len(text), len(r.GetGreeting()))
		}
		return err
	case 2:
		const from = 300
		s, err := client.Countdown(ctx, &greeterv1.CountdownRequest{From: from}, grpc.WaitForReady(true))
		if err != nil {
			return err
		}
		for want := int32(from); ; want-- {
			r, err := s.Recv()
			switch {
			case err == io.EOF && want == -1:
				return nil
			case err == io.EOF:
				return fmt.Errorf("a countdown ends at %d", want)
			case err != nil:
				return err
			case r.GetNumber() != want:
				return fmt.Errorf("%d comes instead of %d", r.GetNumber(), want)
			}
		}
	default:
		s, err := client.Chat(ctx, grpc.WaitForReady(true))
		if err != nil {
			return err
		}
		for range 5 {
			if err := s.Send(&greeterv1.ChatRequest{Line: text}); err != nil {
				break // receiving says why
			}
			r, err := s.Recv()
			if err != nil {
				return err
			}
			if r.GetLine() != text {
				return fmt.Errorf("a line of %d bytes has %d", len(text), len(r.GetLine()))
			}
		}
		s.CloseSend()
		if _, err := s.Recv(); err != io.EOF {
			return err
		}
		return nil
	}
}

// noneTwice checks that no call was processed twice, and returns how many there were.
func noneTwice(t *testing.T, notes string) int {
	t.Helper()
	b, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(b)) {
		if calls[line]++; calls[line] == 2 {
			t.Errorf("call %q was processed twice", line)
		}
	}
	return len(calls)
}

// harm stops or kills a process at any time soon, which ends it: before a connection is made, while it moves to rings,
// and in the middle of calls.
func harm(p *testproc.Process) {
	mean := []time.Duration{time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond}[rand.IntN(3)]
	soon := func() { <-time.After(time.Duration(rand.ExpFloat64() * float64(mean))) }
	soon()
	switch rand.IntN(3) {
	case 0: // and goes on
		p.Process.Signal(syscall.SIGSTOP)
		soon()
		soon()
		p.Process.Signal(syscall.SIGCONT)
		soon()
	case 1:
		p.Process.Signal(syscall.SIGSTOP)
		soon()
	}
	p.Kill()
	p.WaitExit()
}

// Servers are killed and stopped at any time. No call runs twice, none goes on after its deadline, and the client has
// nothing of the connections in the end.
func TestServersKilledAndStoppedAtAnyTime(t *testing.T) {
	t.Parallel()
	overRings(t)
	dir := fixture.ShortDir(t)
	path, notes := filepath.Join(dir, "s.sock"), filepath.Join(dir, "notes")
	client := testproc.Start(t, "call and note", path)
	for range 20 {
		server := testproc.Start(t, "serve and note", path, notes)
		server.Line()
		harm(server)
	}
	last := testproc.Start(t, "serve and note", path, notes)
	last.Line()
	client.Line() // a call has succeeded, at some time
	if err := client.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	counted := client.Line()
	if strings.Contains(counted, " 0 connections") {
		t.Error("there were no rings")
	}
	t.Log(counted)
	if err := client.WaitExit(); err != nil {
		t.Error(err)
	}
	t.Logf("%d calls were processed", noneTwice(t, notes))
}

// Clients are killed and stopped at any time. The server has nothing of their connections in the end.
func TestClientsKilledAndStoppedAtAnyTime(t *testing.T) {
	t.Parallel()
	overRings(t)
	dir := fixture.ShortDir(t)
	path, notes := filepath.Join(dir, "s.sock"), filepath.Join(dir, "notes")
	server := testproc.Start(t, "serve and note", path, notes)
	server.Line()
	has := func() (b belongs) {
		if err := server.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if line := server.Line(); scan(line, &b) != nil {
			t.Fatalf("the server says %s", line)
		}
		return b
	}
	quiet := testproc.Start(t, "call and note", path)
	quiet.Line()
	quiet.Stop() // from now on the server has what it makes for the first connection
	before := has()
	fixture.Eventually(t, "the connections to end", func() bool {
		before = has()
		return before.rings == 0
	})
	for i := range 20 {
		client := testproc.Start(t, "call and note", path)
		if i%2 == 0 {
			client.Line() // a call has succeeded
		}
		harm(client)
	}
	var left belongs
	fixture.Eventually(t, "the server to have what it had", func() bool {
		left = has()
		return !left.more(before)
	})
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	t.Logf("the server had %v, and has %v; %d calls were processed", before, left, noneTwice(t, notes))
}

func scan(line string, b *belongs) error {
	_, err := fmt.Sscanf(line, "has {%d %d %d}", &b.descriptors, &b.rings, &b.goroutines)
	return err
}
