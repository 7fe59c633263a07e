package admission

import (
	"errors"
	"math"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// serve returns a connection that a new admission has accepted, and the two ends of listening.
func serve(t *testing.T, config Config) (*Admission, *net.UnixListener, net.Conn) {
	t.Helper()
	path := fixture.FreePath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	a := New(config)
	if a.InHandshake() || a.SinceLastAccepted() != math.MaxInt64 {
		t.Error("there is a connection before any was accepted")
	}
	accepted := make(chan net.Conn)
	served := make(chan error)
	go func() {
		served <- a.Serve(l, func(l net.Listener) error {
			for {
				conn, err := l.Accept()
				if err != nil {
					return err
				}
				accepted <- conn
			}
		})
	}()
	t.Cleanup(func() {
		l.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn := <-accepted
	t.Cleanup(func() { conn.Close() })
	return a, l, conn
}

// The spare descriptors, too. It runs alone, as others open descriptors.
func TestServeClosesWhatItOpened(t *testing.T) {
	var before int
	t.Run("serve", func(t *testing.T) {
		before = fixture.OpenFiles(t)
		serve(t, Config{})
	})
	if after := fixture.OpenFiles(t); after != before {
		t.Errorf("the process has %d descriptors, and had %d before", after, before)
	}
}

// The listener may be the service manager's, and goes to successors: what they do with files is theirs.
func TestListenerItselfStillTakesFiles(t *testing.T) {
	t.Parallel()
	_, l, conn := serve(t, Config{})
	if got := passRights(t, conn.(*Conn).UnixConn); got != 0 {
		t.Errorf("SO_PASSRIGHTS of a connection is %d", got)
	}
	if got := passRights(t, l); got != 1 {
		t.Errorf("SO_PASSRIGHTS of the listener is %d", got)
	}
}

func passRights(t *testing.T, conn interface {
	SyscallConn() (syscall.RawConn, error)
}) (passes int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { passes, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSRIGHTS) })
	if errors.Is(err, unix.ENOPROTOOPT) {
		t.Skip("the kernel has no SO_PASSRIGHTS")
	}
	if err != nil {
		t.Fatal(err)
	}
	return passes
}

func TestHandshakeLastsUntilItIsDone(t *testing.T) {
	t.Parallel()
	a, _, conn := serve(t, Config{})
	if !a.InHandshake() || a.SinceLastAccepted() > fixture.Guard {
		t.Error("a connection that was accepted is in no handshake")
	}
	c, _ := ConnOf(conn)
	c.HandshakeDone()
	if a.InHandshake() {
		t.Error("the handshake that is done goes on")
	}
}

// The program's credentials cannot unwrap a Conn.
func TestUnseenHandshakesGetTheBareConnection(t *testing.T) {
	t.Parallel()
	a, _, conn := serve(t, Config{UnseenHandshakes: true})
	if _, bare := conn.(*net.UnixConn); !bare || a.InHandshake() {
		t.Errorf("the connection is %T; that it is in a handshake is %v", conn, a.InHandshake())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total != 1 || len(a.http2) != 1 {
		t.Errorf("%d connections are counted, %d of HTTP/2, want 1", a.total, len(a.http2))
	}
}
