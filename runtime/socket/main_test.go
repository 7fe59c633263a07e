package socket_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }

// listenAndSayHello listens on a path, says so, and accepts until it is killed.
func listenAndSayHello(args []string) error {
	l, err := socket.Listen(args[0])
	if err != nil {
		return err
	}
	return sayHello(l)
}

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

// diagnose prints what it finds out about a path.
func diagnose(args []string) error {
	fmt.Println(socket.Diagnose(context.Background(), args[0]))
	return nil
}

func listen(t testing.TB, path string) *socket.Listener {
	t.Helper()
	return listenWith(t, path, socket.ListenConfig{})
}

func listenWith(t testing.TB, path string, conf socket.ListenConfig) *socket.Listener {
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
	conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
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
