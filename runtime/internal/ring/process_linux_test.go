package ring_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// role says what a process does instead of running tests.
const role = "UDSGRPC_RING_TEST"

// roles are what a process of this test binary can do. It has the sockets and memories from descriptor 3 on.
var roles = map[string]func(args []string){"echo": echoRole, "limited": limitedRole, "mirror": mirrorRole, "flood": floodRole, "timers": timersRole}

func TestMain(m *testing.M) {
	if run := roles[os.Getenv(role)]; run != nil {
		run(os.Args[1:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// process is another process with the client's ends of connections.
type process struct {
	*exec.Cmd
	sockets  []*net.UnixConn // this end's
	memories []*ring.Memory
}

func command(name string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), role+"="+name)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c
}

// start starts a process with n connections.
func start(t testing.TB, name string, n int, args ...string) *process {
	t.Helper()
	p, err := startProcess(name, n, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func startProcess(name string, n int, args ...string) (*process, error) {
	p := &process{Cmd: command(name, args...)}
	defer func() {
		for _, f := range p.ExtraFiles {
			f.Close()
		}
	}()
	for range n {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		p.sockets = append(p.sockets, socketOf(fds[0]))
		m, fd, err := ring.New()
		if err != nil {
			return nil, err
		}
		p.memories = append(p.memories, m)
		p.ExtraFiles = append(p.ExtraFiles, os.NewFile(uintptr(fds[1]), "socket"), os.NewFile(uintptr(fd), "memory"))
	}
	return p, p.Start()
}

// end returns this end of a connection.
func (p *process) end(t testing.TB, n int, spinners *ring.Spinners) *end {
	return newEnd(t, p.sockets[n], p.memories[n], ring.Server, spinners)
}

func (p *process) close(t testing.TB) {
	for i, s := range p.sockets {
		s.Close()
		p.memories[i].Close()
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func socketOf(fd int) *net.UnixConn {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		panic(err)
	}
	return c.(*net.UnixConn)
}

// inherited opens the client's end of connection n.
func inherited(n int, spinners *ring.Spinners) *end {
	m, err := ring.Open(4 + 2*n)
	if err != nil {
		panic(err)
	}
	syscall.CloseOnExec(3 + 2*n)
	syscall.SetNonblock(3+2*n, true)
	return newEnd(nil, socketOf(3+2*n), m, ring.Client, spinners)
}

// echoRole returns messages of a size on n connections, through the ring or the socket.
func echoRole(args []string) {
	n, _ := strconv.Atoi(args[1])
	size, _ := strconv.Atoi(args[2])
	spinners := ring.NewSpinners()
	var wg sync.WaitGroup
	for i := range n {
		e := inherited(i, spinners)
		wg.Go(func() {
			defer e.close()
			b := make([]byte, size)
			for {
				if args[0] == "raw" {
					if _, err := io.ReadFull(e.socket, b); err != nil {
						return
					}
					e.socket.Write(b)
					continue
				}
				if _, err := io.ReadFull(e, b); err != nil {
					return
				}
				if err := e.writeOut(b); err != nil {
					fmt.Println(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// writeOut writes all of b.
func (e *end) writeOut(b []byte) error {
	for len(b) > 0 {
		n, err := e.Write([][]byte{b}, true)
		if b = b[n:]; err != nil {
			return err
		}
	}
	return nil
}
