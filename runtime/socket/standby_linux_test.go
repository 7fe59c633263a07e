package socket_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// standByUnannounced is a program whose user may have no inotify instance: it waits for a path, a
// moment at first, and then as long as it takes.
func standByUnannounced(args []string) error {
	if err := os.WriteFile("/proc/sys/user/max_inotify_instances", []byte("0"), 0); err != nil {
		return err
	}
	if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("an inotify instance: %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := (&socket.ListenConfig{}).ListenStandby(short, args[0])
	fmt.Println(errors.Is(err, socket.ErrInUse) && errors.Is(err, context.DeadlineExceeded), err)
	l, err := (&socket.ListenConfig{}).ListenStandby(context.Background(), args[0])
	if err != nil {
		return err
	}
	return sayHello(l)
}

func TestStandbyWaitsAlsoWhereNothingAnnouncesTheRelease(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a limit of one's own takes root, as does a user namespace on some systems")
	}
	path := fixture.FreePath(t)
	owner := listen(t, path)
	cmd := testproc.Command(t, "stand by unannounced", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
	}
	standby := testproc.StartCmd(t, cmd)
	if line := standby.Line(); !strings.HasPrefix(line, "true") {
		t.Errorf("while the path is in use it prints %q", line)
	}
	owner.Close()
	if line := standby.Line(); line != "listening" {
		t.Errorf("it prints %q", line)
	}
	checkGreets(t, path)
}
