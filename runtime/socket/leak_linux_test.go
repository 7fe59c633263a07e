package socket_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Not parallel: it counts the descriptors of the process.
func TestListeningAndDialingLeakNoDescriptor(t *testing.T) {
	path := fixture.FreePath(t)
	long := shorten(t, fixture.ShortDir(t), maxPath+50)
	use := func() {
		for _, p := range []string{path, long, "@leak-test"} {
			l, err := socket.Listen(p)
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				checkConnects(t, l, p)
			}
			if _, err := socket.Listen(p); err == nil {
				t.Fatalf("two listeners on %s", p)
			}
			l.Close()
			if conn, err := (&socket.Dialer{}).DialContext(t.Context(), p); err == nil {
				conn.Close()
				t.Fatalf("connected to the closed %s", p)
			}
			socket.Diagnose(t.Context(), p)
		}
	}
	use() // the runtime opens a few for itself
	before := fixture.OpenFiles(t)
	for range 30 {
		use()
	}
	if after := fixture.OpenFiles(t); after > before {
		t.Errorf("%d descriptors were open before and %d after", before, after)
	}
}

// listenWithFewDescriptors is a program: it listens with none left, then with one, and so on until that
// works. It prints how often a socket file was left behind.
func listenWithFewDescriptors(args []string) error {
	warm, err := socket.Listen(args[0]) // the runtime opens a few for itself
	if err != nil {
		return err
	}
	warm.Close()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	var taken []int
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	left := 0
	for _, fd := range taken {
		l, err := socket.Listen(args[0])
		if err == nil {
			fmt.Println(left)
			return l.Close()
		}
		if !errors.Is(err, unix.EMFILE) {
			return err
		}
		if _, err := os.Lstat(args[0]); err == nil {
			left++
		}
		unix.Close(fd)
	}
	return errors.New("no number of descriptors is enough")
}

func TestListenWithoutDescriptorsLeavesNoFileBehind(t *testing.T) {
	t.Parallel()
	if left := testproc.Start(t, "listen with few descriptors", fixture.FreePath(t)).Line(); left != "0" {
		t.Errorf("a file was left behind %s times", left)
	}
}
