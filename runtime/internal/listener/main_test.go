package listener_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }

var dial = (&socket.Dialer{}).DialContext

// sayHello says that it listens, and accepts until it is killed.
func sayHello(l net.Listener) error {
	fmt.Println("listening")
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(conn, "hello")
		conn.Close()
	}
}

func listen(t testing.TB, path string) *listener.Listener {
	t.Helper()
	return listenWith(t, path, listener.Config{})
}

func listenWith(t testing.TB, path string, conf listener.Config) *listener.Listener {
	t.Helper()
	l, err := conf.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// checkConnects fails the test unless a client that dials path gets to l.
func checkConnects(t testing.TB, l net.Listener, path string) {
	t.Helper()
	conn, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	const message = "are you there?"
	if _, err := conn.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(message))
	if _, err := accepted.Read(got); err != nil || string(got) != message {
		t.Fatalf("read %q, %v", got, err)
	}
}

// checkGreets fails the test unless a process that calls sayHello answers on path.
func checkGreets(t testing.TB, path string) {
	t.Helper()
	conn, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	greeting := make([]byte, len("hello\n"))
	if _, err := conn.Read(greeting); err != nil || string(greeting) != "hello\n" {
		t.Errorf("the server says %q, %v", greeting, err)
	}
}

func checkInUse(t testing.TB, err error, text string) {
	t.Helper()
	if !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v; want %q and %q", err, socket.ErrInUse, text)
	}
}
