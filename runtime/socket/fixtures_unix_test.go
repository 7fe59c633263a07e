//go:build unix

package socket_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// abandonSocket leaves a socket file at path with nobody listening.
func abandonSocket(t testing.TB, path string) {
	t.Helper()
	if err := fixture.AbandonSocket(path); err != nil {
		t.Fatal(err)
	}
}

// listenSmall listens with room for n+1 connections that wait to be accepted.
func listenSmall(t testing.TB, path string, n int) (fd int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.CloseOnExec(fd)
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, n)); err != nil {
		t.Fatal(err)
	}
	return fd
}

// fillQueue makes a server on path that accepts nobody and whose queue is full.
func fillQueue(t testing.TB, path string) (fd int) {
	t.Helper()
	fd = listenSmall(t, path, 0)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return fd
}

func checkInUse(t testing.TB, err error, text string) {
	t.Helper()
	if !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v; want %q and %q", err, socket.ErrInUse, text)
	}
}

// checkGreets fails the test unless the program "listen" answers on path.
func checkGreets(t testing.TB, path string) {
	t.Helper()
	conn, err := (&socket.Dialer{}).DialContext(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	greeting := make([]byte, len("hello\n"))
	if _, err := conn.Read(greeting); err != nil || string(greeting) != "hello\n" {
		t.Errorf("the server says %q, %v", greeting, err)
	}
}
