package runtime

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// The listener may be the service manager's, and goes to successors: what they do with files is theirs.
func TestListenerItselfStillTakesFiles(t *testing.T) {
	t.Parallel()
	s, err := NewServer(fixture.FreePath(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	served := s.accept(s.current())
	conn, err := net.Dial("unix", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fixture.Eventually(t, "the connection to be accepted", func() bool { return s.arrivals.accepted.Load() == 1 })
	raw, err := s.current().SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var passes int
	raw.Control(func(fd uintptr) { passes, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSRIGHTS) })
	if errors.Is(err, unix.ENOPROTOOPT) {
		t.Skip("the kernel has no SO_PASSRIGHTS")
	}
	if err != nil || passes != 1 {
		t.Errorf("SO_PASSRIGHTS of the listener is %d, %v", passes, err)
	}
	s.Close()
	<-served
}
