package restarts_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestStandbyServesWhenTheOwnerIsKilled(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := testproc.Start(t, "greeter", path)
	owner.Line()
	client, _ := greetertest.Dial(t, path)
	if pid := greetertest.Greet(t, client); pid != owner.Process.Pid {
		t.Fatalf("process %d answered", pid)
	}
	made := make(chan error, 1)
	var standby *runtime.Server
	go func() {
		var err error
		standby, err = greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Standby(t.Context()))
		made <- err
	}()
	select {
	case err := <-made:
		t.Fatalf("the standby did not wait: %v", err)
	default:
	}
	owner.Kill()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	greetertest.Run(t, standby)
	fixture.Eventually(t, "the standby to answer", func() bool {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		return err == nil && int(resp.GetServerPid()) == os.Getpid()
	})
}

func TestStandbyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runtime.NewServer(path, runtime.Standby(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestTakeoverWithStandbyTakesOverFromAWillingOwner(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	old := greetertest.Serve(t, path, greetertest.New())
	next, err := runtime.NewServer(path, runtime.Takeover(), runtime.Standby(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	greetertest.Run(t, next)
	if err := <-old.Done; err != nil || !old.HandedOver() {
		t.Errorf("Serve returned %v; that it has handed over is %v", err, old.HandedOver())
	}
}

func TestTakeoverWithStandbyWaitsForAnOwnerThatCannotHandOver(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	plain := grpc.NewServer()
	served := make(chan error, 1)
	go func() { served <- plain.Serve(l) }()
	log := &greetertest.Buffer{}
	made := make(chan error, 1)
	go func() {
		next, err := runtime.NewServer(path, runtime.Takeover(), runtime.Standby(t.Context()), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
		if err == nil {
			err = next.Close()
		}
		made <- err
	}()
	fixture.Eventually(t, "the event", func() bool { return len(greetertest.Messages(log.String())) > 0 })
	select {
	case err := <-made:
		t.Errorf("it does not wait: %v", err)
	default:
	}
	plain.Stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := <-made; err != nil {
		t.Error(err)
	}
	if got := greetertest.Messages(log.String()); len(got) != 1 || got[0] != "standing by" {
		t.Errorf("the events are %q", got)
	}
}

func TestTakeoverWithStandbyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	first, err := runtime.NewServer(path, runtime.Takeover()) // and does not serve
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = runtime.NewServer(path, runtime.Takeover(), runtime.Standby(ctx))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, socket.ErrInUse) {
		t.Errorf("error is %v", err)
	}
}

func TestTakeoverWithStandbyDoesNotWaitForAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	if err := errors.Join(os.Chmod(filepath.Dir(path), 0o755), os.Chown(filepath.Dir(path), 1234, 1234)); err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Command(t, "greeter", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	testproc.StartCmd(t, cmd).Line()
	_, err := runtime.NewServer(path, runtime.AllowUnsafeDir(), runtime.Takeover(), runtime.Standby(t.Context()))
	if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, socket.ErrInUse) {
		t.Errorf("error is %v", err)
	}
}
