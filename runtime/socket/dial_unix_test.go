//go:build unix

package socket_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// The error of a caller when the server is not there, and the result of Diagnose.
func TestFailureSaysWhatIsWrongAtThePath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare   func(t *testing.T, path string)
		condition socket.Condition
		errno     error
		text      string
	}{
		"no file": {
			prepare:   func(*testing.T, string) {},
			condition: socket.Missing, errno: unix.ENOENT, text: "no such file: the server is not running",
		},
		"no directory": {
			prepare:   func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) },
			condition: socket.Missing, errno: unix.ENOENT, text: "does not exist",
		},
		"a file for a directory": {
			prepare: func(t *testing.T, path string) {
				os.Remove(filepath.Dir(path))
				os.WriteFile(filepath.Dir(path), nil, 0o600)
			},
			condition: socket.Missing, errno: unix.ENOTDIR, text: "is not a directory",
		},
		"dead socket": {
			prepare:   func(t *testing.T, path string) { abandonSocket(t, path) },
			condition: socket.Stale, errno: unix.ECONNREFUSED, text: "nobody listens",
		},
		"regular file": {
			prepare:   func(t *testing.T, path string) { os.WriteFile(path, nil, 0o600) },
			condition: socket.NotSocket, errno: unix.ECONNREFUSED, text: "a regular file is there",
		},
		"directory": {
			prepare:   func(t *testing.T, path string) { os.Mkdir(path, 0o700) },
			condition: socket.NotSocket, errno: unix.ECONNREFUSED, text: "a directory is there",
		},
		"symbolic link to nothing": {
			prepare:   func(t *testing.T, path string) { os.Symlink("nowhere", path) },
			condition: socket.NotSocket, errno: unix.ENOENT, text: "a symbolic link is there",
		},
		"datagram socket": {
			prepare: func(t *testing.T, path string) {
				l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
			},
			condition: socket.NotSocket, errno: unix.EPROTOTYPE, text: "datagram",
		},
		"full queue": {
			prepare:   func(t *testing.T, path string) { fillQueue(t, path) },
			condition: socket.QueueFull, errno: unix.EAGAIN, text: "accept queue stayed full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			c.prepare(t, path)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := (&socket.Dialer{}).DialContext(ctx, path)
			if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("dial error is %v; want the path, %v and %q", err, c.errno, c.text)
			}
			d := socket.Diagnose(t.Context(), path)
			if d.Condition != c.condition || !strings.Contains(d.Detail, c.text) || !errors.Is(d.Err, c.errno) {
				t.Errorf("diagnosis is %v; want %q, %q, %v", d, c.condition, c.text, c.errno)
			}
		})
	}
}

// The kernel refuses clients beyond the queue's length; the dialer waits its turn.
func TestBurstOfClientsGetsThroughASmallQueue(t *testing.T) {
	t.Parallel()
	const clients = 500
	path := fixture.FreePath(t)
	l, err := net.FileListener(os.NewFile(uintptr(dup(t, listenSmall(t, path, 8))), path))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, err := io.ReadAll(conn); err != nil {
				t.Error(err)
			}
		})
	}
	for range clients {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	wg.Wait()
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	fillQueue(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := (&socket.Dialer{}).DialContext(ctx, path)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestDialWithAContextThatHasEndedConnectsNowhere(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if conn, err := (&socket.Dialer{}).DialContext(ctx, path); !errors.Is(err, context.Canceled) || conn != nil {
		t.Errorf("the connection is %v, and the error %v", conn, err)
	}
}

func dup(t testing.TB, fd int) int {
	t.Helper()
	copied, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	unix.CloseOnExec(copied)
	return copied
}

// passed is a context whose deadline has passed, and that has not noticed it yet.
type passed struct{ context.Context }

func (passed) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestDialThatFailsForLackOfTimeReturnsWhenItsContextHasEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := (&socket.Dialer{}).DialContext(passed{ctx}, fixture.FreePath(t))
		failed <- err
	}()
	select {
	case err := <-failed:
		t.Fatalf("the context has not ended, and dialing has failed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}
