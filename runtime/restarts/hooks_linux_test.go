package restarts_test

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestHooksFollowTheServerThroughRestarts(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	events := make(chan string, 100)
	_, conn := greetertest.Dial(t, path,
		runtime.WithOnConnect(func() { events <- "connect" }),
		runtime.WithOnDisconnect(func() { events <- "disconnect" }))
	expect := func(want string) {
		t.Helper()
		if got := <-events; got != want {
			t.Fatalf("event is %q, want %q", got, want)
		}
	}
	// No call is ever made: the client connects by itself.
	for range 5 {
		server := testproc.Start(t, "greeter", path)
		server.Line()
		expect("connect")
		server.Kill()
		expect("disconnect")
		server.WaitExit()
	}
	server := testproc.Start(t, "greeter", path)
	server.Line()
	expect("connect")
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	expect("disconnect")
	if len(events) != 0 {
		t.Errorf("there is one more event: %s", <-events)
	}
}

func TestClientRegistersWithEveryServerThatComes(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	registered := make(chan int64, 100) // with the server of this process id
	var client greeterv1.GreeterClient
	dialed := make(chan struct{})
	client, _ = greetertest.Dial(t, path, runtime.WithOnConnect(func() {
		<-dialed
		resp, err := client.Greet(context.Background(), &greeterv1.GreetRequest{})
		if err != nil {
			t.Errorf("a call from the hook failed: %v", err)
		}
		registered <- resp.GetServerPid()
	}))
	close(dialed)
	owner := greetertest.StartSuccessor(t, path)
	owner.Serve(t)
	for range 10 { // without a moment at which nobody is there
		if got := <-registered; got != int64(owner.Cmd.Process.Pid) {
			t.Fatalf("registered with process %d, want %d", got, owner.Cmd.Process.Pid)
		}
		next := greetertest.StartSuccessor(t, path)
		next.Serve(t)
		if err := owner.WaitExit(); err != nil {
			t.Fatal(err)
		}
		owner = next
	}
	if got := <-registered; got != int64(owner.Cmd.Process.Pid) {
		t.Fatalf("registered with process %d, want %d", got, owner.Cmd.Process.Pid)
	}
}

func TestRestartDuringAHookIsNotMissed(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	events := make(chan string)
	entered := make(chan struct{}, 10)
	client, conn := greetertest.Dial(t, path,
		runtime.WithOnConnect(func() {
			entered <- struct{}{}
			events <- "connect"
		}),
		runtime.WithOnDisconnect(func() { events <- "disconnect" }))
	first := testproc.Start(t, "greeter", path)
	first.Line()
	<-entered // and now the hook waits for the test to read its event
	first.Kill()
	first.WaitExit()
	second := testproc.Start(t, "greeter", path)
	second.Line()
	fixture.Eventually(t, "the second server to answer", func() bool {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		return err == nil && int(resp.GetServerPid()) == second.Process.Pid
	})
	for _, want := range []string{"connect", "disconnect", "connect"} {
		if got := <-events; got != want {
			t.Fatalf("event is %q, want %q", got, want)
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- conn.Close() }()
	if got := <-events; got != "disconnect" {
		t.Errorf("event is %q", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestWithoutHooksNothingConnectsUnasked(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	connections := &greetertest.ConnCounter{}
	greetertest.Serve(t, path, greetertest.New(), runtime.StatsHandler(connections))
	greetertest.Dial(t, path)
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	if n := connections.Begun.Load(); n != 1 {
		t.Errorf("%d connections were made, want that of the call", n)
	}
}

// With credentials of the program's own nothing is known of connections but that they are there.
func TestHooksRunOnceForAConnectionWithOtherCredentials(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	var connected, disconnected atomic.Int64
	client, conn := greetertest.Dial(t, path,
		runtime.WithGRPCDialOptions(grpc.WithTransportCredentials(insecure.NewCredentials())),
		runtime.WithOnConnect(func() { connected.Add(1) }),
		runtime.WithOnDisconnect(func() { disconnected.Add(1) }))
	fixture.Eventually(t, "the connection", func() bool { return connected.Load() > 0 })
	greetertest.Greet(t, client)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if c, d := connected.Load(), disconnected.Load(); c != 1 || d != 1 {
		t.Errorf("connected %d times, and disconnected %d times", c, d)
	}
}
