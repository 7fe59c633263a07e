package restarts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestHundredsOfHandoversUnderLoadLoseNoCall(t *testing.T) {
	t.Parallel()
	handovers := 200
	if testing.Short() {
		handovers = 10
	}
	path := fixture.FreePath(t)
	owner := greetertest.StartSuccessor(t, path) // nobody there yet: it just listens
	owner.Serve(t)
	file, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	load := startLoad(t, path, 4)
	killed := 0
	for i := range handovers {
		next := greetertest.StartSuccessor(t, path)
		if i%4 == 3 { // kill -9 in the middle of the handover
			next.Kill()
			next.WaitExit()
			killed++
			continue
		}
		next.Serve(t)
		if err := owner.WaitExit(); err != nil {
			t.Fatalf("handover %d: the former owner ended with %v", i, err)
		}
		owner = next
	}
	load.end()
	t.Logf("%d handovers, %d of them killed in the middle: %d calls, %d of new clients, %d streams, none lost", handovers, killed, load.calls.Load(), load.firsts.Load(), load.streams.Load())
	if load.calls.Load() == 0 || load.streams.Load() == 0 || load.firsts.Load() == 0 {
		t.Error("there was no load")
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(file, now) {
		t.Errorf("the socket file is not the same: %v", err)
	}
	if err := owner.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := owner.WaitExit(); err != nil {
		t.Error(err)
	}
	fixture.CheckMissing(t, path)
}

func TestHandoverFinishesCallsOfTheFormerOwner(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	log := &greetertest.Buffer{}
	old := greetertest.Serve(t, path, g, runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
	client, _ := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
		if err == nil && int(resp.GetServerPid()) != os.Getpid() {
			err = fmt.Errorf("process %d answered", resp.GetServerPid())
		}
		answered <- err
	}()
	<-g.Entered
	next := greetertest.StartSuccessor(t, path)
	next.Serve(t)
	fixture.Eventually(t, "the successor to answer", func() bool {
		newcomer, conn := greetertest.Dial(t, path)
		defer conn.Close()
		return greetertest.Greet(t, newcomer) == next.Cmd.Process.Pid
	})
	select {
	case err := <-old.Done:
		t.Fatalf("the former owner ended before its call did: %v", err)
	default:
	}
	close(g.Release)
	if err := <-answered; err != nil {
		t.Errorf("the call in flight was lost: %v", err)
	}
	if err := <-old.Done; err != nil {
		t.Errorf("the former owner's Serve returned %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the former owner removed the socket: %v", err)
	}
	if got, want := greetertest.Messages(log.String()), []string{"serving", "handed over"}; !slices.Equal(got, want) || !strings.Contains(log.String(), path) {
		t.Errorf("the events are %q, want %q: %s", got, want, log)
	}
}

func TestOwnerServesOnWhenTheSuccessorGivesUp(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	client, _ := greetertest.Dial(t, path)
	successor, err := greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Takeover())
	if err != nil {
		t.Fatal(err)
	}
	greetertest.Greet(t, client)
	if err := successor.Close(); err != nil {
		t.Error(err)
	}
	newcomer, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, newcomer)
	if _, err := runtime.NewServer(path); !errors.Is(err, socket.ErrInUse) {
		t.Errorf("the path is free: %v", err)
	}
}

func TestEndlessStreamDoesNotHoldAHandover(t *testing.T) {
	t.Parallel()
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			old := greetertest.Serve(t, path, considerate{}, runtime.ShutdownTimeout(fixture.Guard))
			client, _ := greetertest.Dial(t, path, opts...)
			stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			greetertest.StartSuccessor(t, path).Serve(t)
			_, err = stream.Recv()
			greetertest.CheckCode(t, err, codes.Aborted)
			if err := <-old.Done; err != nil || !old.HandedOver() {
				t.Errorf("Serve returned %v; that it has handed over is %v", err, old.HandedOver())
			}
		})
	}
}

// Each of the successors that come at once has the path in its turn, whatever the one before it does.
func TestSuccessorsTakeTurns(t *testing.T) {
	t.Parallel()
	for name, firstServes := range map[string]bool{"and the first one serves": true, "and the first one gives up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			old := greetertest.Serve(t, path, greetertest.New())
			client, _ := greetertest.Dial(t, path)
			greetertest.Greet(t, client)
			first, err := greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Takeover())
			if err != nil {
				t.Fatal(err)
			}
			made := make(chan error, 1)
			var second *runtime.Server
			go func() {
				var err error
				second, err = greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Takeover())
				made <- err
			}()
			select {
			case err := <-made:
				t.Fatalf("the second successor did not wait: %v", err)
			default:
			}
			owner := old
			if firstServes {
				owner = greetertest.Run(t, first)
				if err := <-old.Done; err != nil || !old.HandedOver() {
					t.Errorf("Serve of the first owner returned %v; that it has handed over is %v", err, old.HandedOver())
				}
			} else if err := first.Close(); err != nil {
				t.Error(err)
			}
			if err := <-made; err != nil {
				t.Fatal(err)
			}
			greetertest.Run(t, second)
			if err := <-owner.Done; err != nil {
				t.Errorf("the owner's Serve returned %v", err)
			}
			greetertest.Greet(t, client)
			if stats := owner.Stats().Handovers; stats.Given != 1 {
				t.Errorf("the owner's handovers are %+v", stats)
			}
		})
	}
}

// takeOverAtOnce is a program: the next version of the greeter, which needs no time to get ready. It has as much time as
// by default to finish its calls, as the machine may be busy.
func takeOverAtOnce(args []string) error {
	return greetertest.ServeUntilTerminated(args[0], runtime.Takeover(), runtime.ShutdownTimeout(runtime.DefaultShutdownTimeout))
}

func TestTakeoversWithoutPauseAllSucceed(t *testing.T) {
	t.Parallel()
	rounds, atOnce := 50, 4
	if testing.Short() {
		rounds = 3
	}
	path := fixture.FreePath(t)
	owner := testproc.Start(t, "take over at once", path)
	owner.Line()
	load := startLoad(t, path, 4)
	failed := 0
	for range rounds {
		candidates := []*testproc.Process{owner}
		for range atOnce {
			candidates = append(candidates, testproc.Start(t, "take over at once", path))
		}
		type end struct {
			which int
			err   error
		}
		ends := make(chan end, len(candidates))
		for i, c := range candidates {
			go func() { ends <- end{i, c.WaitExit()} }()
		}
		for range atOnce { // all but the one that serves last
			e := <-ends
			if e.err != nil {
				failed++
				t.Errorf("a takeover failed: %v", e.err)
			}
			candidates[e.which] = nil
		}
		for _, c := range candidates {
			if c != nil {
				owner = c
			}
		}
	}
	load.end()
	t.Logf("%d takeovers, %d at once: %d failed; %d calls, %d streams", rounds*atOnce, atOnce, failed, load.calls.Load(), load.streams.Load())
	client, _ := greetertest.Dial(t, path)
	if pid := greetertest.Greet(t, client); pid != owner.Process.Pid {
		t.Errorf("process %d answers, want the last one, %d", pid, owner.Process.Pid)
	}
}

func TestTakeoverWaitsForAnOwnerThatDrains(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	old := greetertest.Serve(t, path, g)
	client, _ := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
		answered <- err
	}()
	<-g.Entered
	old.Stop()
	fixture.AwaitMissing(t, path)
	made := make(chan error, 1)
	go func() {
		next, err := runtime.NewServer(path, runtime.Takeover())
		if err == nil {
			err = next.Close()
		}
		made <- err
	}()
	close(g.Release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-old.Done; err != nil || old.HandedOver() {
		t.Errorf("Serve returned %v; that it has handed over is %v", err, old.HandedOver())
	}
	if err := <-made; err != nil {
		t.Errorf("the successor: %v", err)
	}
}

func TestTakeoverFromAServerThatKnowsNoneFails(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	plain := grpc.NewServer()
	served := make(chan error, 1)
	go func() { served <- plain.Serve(l) }()
	defer func() {
		plain.Stop()
		<-served
	}()
	_, err = runtime.NewServer(path, runtime.Takeover())
	if !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), `step "receive the listener"`) {
		t.Errorf("error is %v", err)
	}
	client, _ := greetertest.Dial(t, path)
	_, err = client.Greet(t.Context(), &greeterv1.GreetRequest{})
	if status.Code(err) != codes.Unimplemented { // it has no services
		t.Errorf("the plain server %v does not answer any more: %v", l.Addr(), err)
	}
}

// The service goes on with the successor, but not on the connections of the one before.
func TestHealthOfTheFormerOwnerIsNotServing(t *testing.T) {
	t.Parallel()
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			g := greetertest.New()
			old := greetertest.Serve(t, path, g, runtime.Health(), runtime.ShutdownTimeout(fixture.Guard), runtime.UnaryInterceptor(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
					if _, ok := req.(*healthv1.HealthCheckRequest); ok {
						g.Entered <- struct{}{}
						<-runtime.DrainingFromContext(ctx)
					}
					return next(ctx, req)
				}))
			_, conn := greetertest.Dial(t, path, opts...)
			type answer struct {
				*healthv1.HealthCheckResponse
				error
			}
			answers := make(chan answer, 1)
			go func() {
				resp, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
				answers <- answer{resp, err}
			}()
			<-g.Entered
			greetertest.StartSuccessor(t, path).Serve(t)
			if a := <-answers; a.error != nil || a.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
				t.Errorf("while it drains the former owner says %v, %v", a.GetStatus(), a.error)
			}
			if err := <-old.Done; err != nil || !old.HandedOver() {
				t.Errorf("Serve returned %v; that it has handed over is %v", err, old.HandedOver())
			}
		})
	}
}

// Those who are connected to the former owner learn of the handover with it, and not some time later.
func TestHealthChangesWithTheHandover(t *testing.T) {
	t.Parallel()
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			entered, release := make(chan struct{}, 1), make(chan struct{})
			old := greetertest.Serve(t, path, greetertest.New(), runtime.Health(), runtime.ShutdownTimeout(fixture.Guard), runtime.UnaryInterceptor(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
					entered <- struct{}{}
					<-release
					return next(ctx, req)
				}))
			_, conn := greetertest.Dial(t, path, opts...)
			answer := make(chan healthv1.HealthCheckResponse_ServingStatus, 1)
			go func() {
				resp, _ := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
				answer <- resp.GetStatus()
			}()
			<-entered
			next := greetertest.StartSuccessor(t, path)
			next.Serve(t)
			for !old.HandedOver() {
				goruntime.Gosched()
			}
			close(release)
			if got := <-answer; got != healthv1.HealthCheckResponse_NOT_SERVING {
				t.Errorf("the former owner says %v", got)
			}
			<-old.Done
		})
	}
}
