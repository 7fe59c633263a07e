package restarts_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// A careless rm, a cleaner that takes the lock file too, and programs that leave rubbish.
func TestLostSocketIsBoundAgainAndConnectionsStay(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(path string) error{
		"removed":               os.Remove,
		"renamed":               func(path string) error { return os.Rename(path, path+".old") },
		"removed with its lock": func(path string) error { return errors.Join(os.Remove(fixture.LockPath(path)), os.Remove(path)) },
		"replaced by a dead one": func(path string) error {
			return errors.Join(fixture.AbandonSocket(path+".dead"), os.Rename(path+".dead", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			log := &greetertest.Buffer{}
			connections := &greetertest.ConnCounter{}
			srv := greetertest.Serve(t, path, greetertest.New(), runtime.SocketMode(0o660), runtime.StatsHandler(connections),
				runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
			old, _ := greetertest.Dial(t, path)
			greetertest.Greet(t, old)
			for i := range 3 {
				if err := lose(path); err != nil {
					t.Fatal(err)
				}
				newcomer, conn := greetertest.Dial(t, path)
				if err := conn.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				greetertest.Greet(t, newcomer)
				greetertest.Greet(t, old)
				if n := connections.Ended.Load(); n != 0 {
					t.Errorf("%d connections were lost", n)
				}
				if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o660 {
					t.Errorf("the socket has mode %v, %v", info.Mode(), err)
				}
				if _, err := runtime.NewServer(path); !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), "holds its lock") {
					t.Errorf("the path is not locked: %v", err)
				}
				fixture.Eventually(t, "the event", func() bool { return strings.Count(log.String(), "socket bound again") == i+1 })
			}
			srv.Stop()
			if err := <-srv.Done; err != nil {
				t.Error(err)
			}
			fixture.CheckMissing(t, path)
		})
	}
}

func TestPathThatSomebodyElseHasTakenIsLeftAloneAndReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		take func(t *testing.T, path string)
		want string
	}{
		"a live socket": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "listens on it"},
		"a file": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a socket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			log := &greetertest.Buffer{}
			srv := greetertest.Serve(t, path, greetertest.New(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
			client, _ := greetertest.Dial(t, path)
			greetertest.Greet(t, client)
			other := path + ".other"
			c.take(t, other)
			if err := os.Rename(other, path); err != nil { // at once, so that the path is never free
				t.Fatal(err)
			}
			taken, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			fixture.Eventually(t, "the event", func() bool { return strings.Contains(log.String(), "socket lost") })
			if got := log.String(); !strings.Contains(got, c.want) || strings.Contains(got, "bound again") {
				t.Errorf("the event log is %q, want %q in it", got, c.want)
			}
			greetertest.Greet(t, client)
			srv.Stop()
			if err := <-srv.Done; err != nil {
				t.Error(err)
			}
			if now, err := os.Lstat(path); err != nil || !os.SameFile(taken, now) {
				t.Errorf("what the other has put there is gone: %v", err)
			}
		})
	}
}

func TestPathIsBoundAgainWhenItIsFree(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	if err := os.WriteFile(path+".file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".file", path); err != nil {
		t.Fatal(err)
	}
	client, conn := greetertest.Dial(t, path)
	if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err == nil {
		t.Fatal("the file has not replaced the socket")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := conn.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	greetertest.Greet(t, client)
}

func TestSocketThatWasBoundAgainCanBeTakenOver(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	old := greetertest.Serve(t, path, greetertest.New())
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	client, conn := greetertest.Dial(t, path)
	if err := conn.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := greetertest.StartSuccessor(t, path)
	next.Serve(t)
	if err := <-old.Done; err != nil {
		t.Error(err)
	}
	if pid := greetertest.Greet(t, client); pid != next.Cmd.Process.Pid {
		t.Errorf("process %d answered, want the successor %d", pid, next.Cmd.Process.Pid)
	}
}

// The process that has taken the path dies, which no watch of the path tells.
func TestPathIsBoundAgainWhenTheProcessThatHasTakenItDies(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	log := &greetertest.Buffer{}
	greetertest.Serve(t, path, greetertest.New(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
	other, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + ".other", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	other.SetUnlinkOnClose(false)
	if err := os.Rename(path+".other", path); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the event", func() bool { return strings.Contains(log.String(), "socket lost") })
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the socket to be bound again", func() bool { return strings.Contains(log.String(), "bound again") })
	client, _ := greetertest.Dial(t, path)
	greetertest.Greet(t, client)
	if got, want := greetertest.Messages(log.String()), []string{"serving", "socket lost", "socket bound again"}; !slices.Equal(got, want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
}

func TestLockFileThatIsRemovedAloneIsMadeAnew(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	log := &greetertest.Buffer{}
	greetertest.Serve(t, path, greetertest.New(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
	for range 3 {
		if err := os.Remove(fixture.LockPath(path)); err != nil {
			t.Fatal(err)
		}
		fixture.Eventually(t, "the lock file", func() bool {
			_, err := os.Lstat(fixture.LockPath(path))
			return err == nil
		})
	}
	// It is there a moment before it is locked.
	fixture.Eventually(t, "the path to be locked", func() bool {
		_, err := runtime.NewServer(path)
		if !errors.Is(err, socket.ErrInUse) {
			t.Fatalf("the path is free: %v", err)
		}
		return strings.Contains(err.Error(), "holds its lock")
	})
	successor, err := runtime.NewServer(path, runtime.Takeover())
	if err != nil {
		t.Fatalf("the socket cannot be taken over: %v", err)
	}
	successor.Close()
	if got := greetertest.Messages(log.String()); slices.Contains(got, "socket bound again") {
		t.Errorf("the socket was bound again without need: %q", got)
	}
}

// Whoever starts just when the lock file is gone has locked a new one for a moment, until it finds
// the server alive.
func TestLockFileOfAnotherProcessIsTakenBackWhenItIsUnlocked(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	log := &greetertest.Buffer{}
	greetertest.Serve(t, path, greetertest.New(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
	starter, err := os.Create(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(starter.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(starter.Name(), fixture.LockPath(path)); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the event", func() bool { return strings.Contains(log.String(), "holds its lock") })
	starter.Close()
	fixture.Eventually(t, "the lock to be taken back", func() bool { return strings.Contains(log.String(), "socket back") })
	if _, err := runtime.NewServer(path); !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), "holds its lock") {
		t.Errorf("the path is not locked: %v", err)
	}
}
