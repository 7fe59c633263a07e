package restarts_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// awaitRest waits until a client has made no attempt to connect for two seconds, in which the backoff would
// make four.
func awaitRest(t *testing.T, conn *runtime.ClientConn) {
	t.Helper()
	before, since := conn.Stats().Failed, time.Now()
	fixture.Eventually(t, "the client to rest", func() bool {
		if now := conn.Stats().Failed; now != before {
			before, since = now, time.Now()
		}
		return time.Since(since) > 2*time.Second
	})
}

func TestClientThatNobodyWaitsForRestsUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, prepare := range map[string]func(path string) error{
		"no file":      func(string) error { return nil },
		"no directory": func(path string) error { return os.Remove(filepath.Dir(path)) },
		"dead socket":  fixture.AbandonSocket,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			connected := make(chan struct{}, 10)
			client, conn := greetertest.Dial(t, path, runtime.WithOnConnect(func() { connected <- struct{}{} }))
			awaitRest(t, conn)

			// A failed call makes the client try again, though nothing has changed.
			before := conn.Stats().Failed
			fixture.Eventually(t, "an attempt", func() bool {
				_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
				greetertest.CheckCode(t, err, codes.Unavailable)
				return conn.Stats().Failed > before
			})
			awaitRest(t, conn)
			greetertest.Serve(t, path, greetertest.New(), runtime.CreateDir())
			<-connected
			greetertest.Greet(t, client)
		})
	}
}

// serveUnwatched is a program whose user may have no inotify instance until an event, which its second
// argument names, has been logged. It prints its events.
func serveUnwatched(args []string) error {
	const limit = "/proc/sys/user/max_inotify_instances"
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		return err
	}
	events := &raiseAfter{event: args[1], limit: limit}
	return greetertest.ServeUntilTerminated(args[0], runtime.EventLog(slog.New(slog.NewTextHandler(events, nil))))
}

// raiseAfter writes to standard output, and raises a limit before the writer of an event goes on.
type raiseAfter struct{ event, limit string }

func (r *raiseAfter) Write(record []byte) (int, error) {
	if bytes.Contains(record, []byte(r.event)) {
		if err := os.WriteFile(r.limit, []byte("10"), 0); err != nil {
			return 0, err
		}
	}
	return os.Stdout.Write(record)
}

func TestServerThatCannotWatchHealsNeverthelessAndTriesAgainToWatch(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a limit of one's own takes root, as does a user namespace on some systems")
	}
	if testing.Short() {
		t.Skip("takes ten seconds and more")
	}
	// The watch that failed tries again, or the next one, of the new listener, succeeds at once.
	for _, raisedAt := range []string{"socket not watched", "socket bound again"} {
		t.Run("limit raised at "+raisedAt, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			cmd := testproc.Command(t, "serve unwatched", path, raisedAt)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
			}
			server := testproc.StartCmd(t, cmd)
			await := map[string]bool{"socket not watched": true, "socket bound again": true, "socket watched again": true}
			for len(await) > 0 {
				for _, event := range greetertest.Messages(server.Line()) {
					delete(await, event)
					if event != "socket not watched" {
						continue
					}
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
