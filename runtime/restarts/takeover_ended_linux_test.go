package restarts_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A stop of the owner and a takeover that begin together must not end with no server.
func TestSuccessorServesWhenTheOwnerIsStoppedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, ownerEnds := range map[string]bool{"and has ended": true, "and drains": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			owner := greetertest.StartSuccessor(t, path) // nobody there yet: it just listens
			owner.Serve(t)
			load := startLoad(t, path, 2, grpc.WaitForReady(true)) // there is a gap, as in every restart
			next := greetertest.StartSuccessor(t, path)
			if err := owner.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			fixture.AwaitMissing(t, path)
			if !ownerEnds {
				next.Serve(t)
			}
			if err := owner.WaitExit(); err != nil {
				t.Errorf("the owner ended with %v", err)
			}
			if ownerEnds {
				next.Serve(t)
			}
			client, _ := greetertest.Dial(t, path)
			ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
			defer cancel()
			resp, err := client.Greet(ctx, &greeterv1.GreetRequest{}, grpc.WaitForReady(true))
			if err != nil {
				t.Fatal(err)
			}
			if pid := int(resp.GetServerPid()); pid != next.Cmd.Process.Pid {
				t.Errorf("process %d answers, want the successor, %d", pid, next.Cmd.Process.Pid)
			}
			load.end()
			if err := next.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := next.WaitExit(); err != nil {
				t.Errorf("the successor ended with %v", err)
			}
			fixture.CheckMissing(t, path)
		})
	}
}

func TestSuccessorServesWhenTheOwnerIsKilledMeanwhile(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := greetertest.StartSuccessor(t, path)
	owner.Serve(t)
	next := greetertest.StartSuccessor(t, path)
	owner.Kill()
	owner.WaitExit()
	next.Serve(t)
	client, _ := greetertest.Dial(t, path)
	fixture.Eventually(t, "the successor to answer", func() bool {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		return err == nil && int(resp.GetServerPid()) == next.Cmd.Process.Pid
	})
}

func TestSuccessorThatWaitsForTheOwnersEndCanBeStopped(t *testing.T) {
	t.Parallel()
	for name, closes := range map[string]bool{"by its context": false, "by Close": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			g := greetertest.New()
			owner := greetertest.Serve(t, path, g)
			client, _ := greetertest.Dial(t, path)
			answered := make(chan error, 1)
			go func() {
				_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
				answered <- err
			}()
			<-g.Entered
			next, err := greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Takeover())
			if err != nil {
				t.Fatal(err)
			}
			owner.Stop()
			fixture.AwaitMissing(t, path)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			served := make(chan error, 1)
			go func() { served <- next.Serve(ctx) }()
			select {
			case err := <-served:
				t.Fatalf("Serve did not wait: %v", err)
			default:
			}
			if closes {
				if err := next.Close(); err != nil {
					t.Error(err)
				}
			} else {
				stop()
			}
			// Close before Serve has begun is the error that it is without a takeover.
			if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				t.Errorf("Serve returned %v", err)
			}
			close(g.Release)
			if err := <-answered; err != nil {
				t.Errorf("the owner's call was lost: %v", err)
			}
			if err := <-owner.Done; err != nil {
				t.Error(err)
			}
			fixture.CheckMissing(t, path)
		})
	}
}
