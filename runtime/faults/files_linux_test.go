package faults_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// A server takes no files, and so none can be sent to it: neither by a client that it has greeted over HTTP/2, nor
// by one of the direct transport. What else such a client sends arrives as ever.
func TestClientsCannotSendFilesToAServer(t *testing.T) {
	t.Parallel()
	for kind, answer := range map[string]int{"idle http2": 9, "idle direct": 16} {
		t.Run(kind, func(t *testing.T) {
			path := fixture.FreePath(t)
			greetertest.Serve(t, path, greetertest.New())
			conn := connect(t, path, 1)[0].(*net.UnixConn)
			needPassRights(t, conn)
			if _, err := io.WriteString(conn, floods[kind]); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, make([]byte, answer)); err != nil {
				t.Fatal(err)
			}
			_, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(int(os.Stdin.Fd())), nil)
			if !errors.Is(err, unix.EPERM) {
				t.Errorf("sending a file comes to %v, want EPERM", err)
			}
			if _, err := conn.Write([]byte{0}); err != nil {
				t.Errorf("sending a byte comes to %v", err)
			}
		})
	}
}

// needPassRights skips the test where the kernel has no SO_PASSRIGHTS, of Linux 6.16.
func needPassRights(t *testing.T, conn *net.UnixConn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { _, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSRIGHTS) })
	if errors.Is(err, unix.ENOPROTOOPT) {
		t.Skip("the kernel has no SO_PASSRIGHTS")
	}
	if err != nil {
		t.Fatal(err)
	}
}
