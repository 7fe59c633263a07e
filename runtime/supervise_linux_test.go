package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// supervise keeps a program running. The restarts come quickly.
func supervise(t *testing.T, command func() *exec.Cmd, opts ...runtime.ChildOption) (*runtime.Supervisor, greeterv1.GreeterClient) {
	t.Helper()
	s, err := runtime.Supervise(context.Background(), command, append([]runtime.ChildOption{runtime.RestartAfter(time.Millisecond, time.Hour)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, greeterv1.NewGreeterClient(s.Conn())
}

func serveAgain(t *testing.T) func() *exec.Cmd {
	return func() *exec.Cmd { return testproc.Command(t, "serve parent") }
}

func TestSupervisedChildIsStartedAgainBehindOneConnection(t *testing.T) {
	t.Parallel()
	log := &greetertest.Buffer{}
	s, client := supervise(t, serveAgain(t), runtime.SupervisorLog(slog.New(slog.NewTextHandler(log, nil))))
	conn := s.Conn()
	for i := range 4 {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "Ada"}, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		pid := int(resp.GetServerPid())
		fixture.Eventually(t, "the process to be known", func() bool { return s.PID() == pid })
		if got := s.Restarts(); got != i {
			t.Errorf("there were %d restarts, want %d", got, i)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		fixture.Eventually(t, "another process", func() bool { return s.PID() != pid && s.PID() != 0 })
	}
	if s.Conn() != conn {
		t.Error("the connection is another one")
	}
	if got := greetertest.Messages(log.String()); !slices.Equal(got[:3], []string{"child serves", "child ended", "child serves"}) {
		t.Errorf("the log has %q", got)
	}
	pid := s.PID()
	select {
	case <-s.Done():
		t.Error("it is done")
	default:
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close returned %v", err)
		}
	}
	<-s.Done()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	if s.PID() != 0 {
		t.Errorf("the process is %d after the end", s.PID())
	}
	fixture.CheckMissing(t, filepath.Dir(s.Path()))
}

func TestSupervisorGivesUpWithTheLastWords(t *testing.T) {
	t.Parallel()
	for name, stderr := range map[string]*bytes.Buffer{"unheard": nil, "heard": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := false
			s, client := supervise(t, func() *exec.Cmd {
				if !started {
					started = true
					return testproc.Command(t, "serve parent")
				}
				cmd := testproc.Command(t, "complain and end", "moon")
				if stderr != nil {
					cmd.Stdout, cmd.Stderr = stderr, stderr
				}
				return cmd
			}, runtime.RestartLimit(3))
			if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-s.Done()
			if got := s.Restarts(); got != 3 {
				t.Errorf("there were %d restarts, want 3", got)
			}
			_, callErr := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true))
			greetertest.CheckCode(t, callErr, codes.Unavailable)
			_, streamErr := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
			greetertest.CheckCode(t, streamErr, codes.Unavailable)
			err := s.Close()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 3 {
				t.Errorf("Close returned %v", err)
			}
			for what, err := range map[string]error{"Close": err, "the call": callErr, "the stream": streamErr} {
				for _, want := range []string{"after 3 restarts", "exit status 3", "cannot find the moon"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %q is missing in %v", what, want, err)
					}
				}
				if len(err.Error()) > 5000 {
					t.Errorf("%s: the error has %d bytes", what, len(err.Error()))
				}
			}
			if stderr != nil && strings.Count(stderr.String(), "moon") != 3 {
				t.Errorf("the caller's own standard error got %q", stderr)
			}
			fixture.CheckMissing(t, filepath.Dir(s.Path()))
		})
	}
}

func TestCloseSaysHowTheLastChildEnded(t *testing.T) {
	t.Parallel()
	s, _ := supervise(t, func() *exec.Cmd { return testproc.Command(t, "serve and complain", "moon") })
	err := s.Close()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(err.Error(), "cannot find the moon") {
		t.Errorf("Close returned %v", err)
	}
}

func TestChildThatHasSettledBeginsANewRow(t *testing.T) {
	t.Parallel()
	s, _ := supervise(t, serveAgain(t), runtime.RestartLimit(1), runtime.RestartAfter(time.Millisecond, 0))
	for i := range 3 {
		pid := s.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		fixture.Eventually(t, "another process", func() bool { return s.PID() != pid && s.PID() != 0 })
		if got := s.Restarts(); got != i+1 {
			t.Errorf("there were %d restarts, want %d", got, i+1)
		}
	}
}

func TestSuperviseFailsIfTheFirstChildDoes(t *testing.T) {
	t.Parallel()
	calls := 0
	_, err := runtime.Supervise(t.Context(), func() *exec.Cmd {
		calls++
		return testproc.Command(t, "complain and end", "sun")
	})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "cannot find the sun") {
		t.Errorf("error is %v", err)
	}
	if calls != 1 {
		t.Errorf("%d commands were started", calls)
	}
	if _, err := runtime.Supervise(t.Context(), func() *exec.Cmd { return nil }); err == nil {
		t.Error("a command that is nil is none")
	}
	if _, err := runtime.Supervise(t.Context(), serveAgain(t), runtime.RestartLimit(-1)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runtime.Supervise(ended, serveAgain(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestSupervisorEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]bool{"while the child serves": false, "while it waits for a restart": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			s, err := runtime.Supervise(ctx, serveAgain(t), runtime.RestartAfter(time.Hour, time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if kill {
				if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				fixture.Eventually(t, "the end of the child", func() bool { return s.PID() == 0 })
			}
			cancel()
			<-s.Done()
			fixture.CheckMissing(t, filepath.Dir(s.Path()))
			if err := s.Close(); err != nil && !kill {
				t.Errorf("Close returned %v", err)
			}
		})
	}
}

func TestSupervisedChildrenAreOfOneUser(t *testing.T) {
	t.Parallel()
	var started atomic.Bool
	s, _ := supervise(t, func() *exec.Cmd {
		cmd := testproc.Command(t, "serve parent")
		if started.Swap(true) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
		}
		return cmd
	}, runtime.RestartLimit(1))
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "its user is 1234") {
		t.Errorf("Close returned %v", err)
	}
}

// The calls of a program that runs all the time.
func TestCallsThatWaitSurviveRestarts(t *testing.T) {
	t.Parallel()
	s, client := supervise(t, serveAgain(t), runtime.RestartAfter(time.Millisecond, 0))
	killed := 0
	for range 20 {
		if pid := s.PID(); pid != 0 {
			killed = pid
			syscall.Kill(pid, syscall.SIGKILL)
		}
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true))
		if err != nil && status.Code(err) != codes.Unavailable { // the one that was in flight
			t.Fatal(err)
		}
	}
	// Close says how the last child ended, so that is to be one that was not killed.
	fixture.Eventually(t, "another child to serve", func() bool {
		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}, grpc.WaitForReady(true))
		return err == nil && int(resp.GetServerPid()) != killed
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
