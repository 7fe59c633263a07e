package ring_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// end is one end of a connection, with its socket.
type end struct {
	*ring.Conn
	socket *net.UnixConn
	memory []byte // of pair: what both share
}

func (e *end) close() {
	e.Close()
	// Shut down, too: a child that is being started has a copy of the socket until its exec.
	e.socket.CloseWrite()
	e.socket.CloseRead()
	e.socket.Close()
}

// pair returns both ends of a connection.
func pair(t testing.TB) (server, client *end) {
	t.Helper()
	spinners := ring.NewSpinners()
	return pairWith(t, spinners, spinners)
}

// pairWith is pair with the spinners of each end.
func pairWith(t testing.TB, ofServer, ofClient *ring.Spinners) (server, client *end) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	memory, fd, err := ring.New()
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := unix.Mmap(fd, 0, ring.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(bytes) })
	opened, err := ring.Open(fd)
	if err != nil {
		t.Fatal(err)
	}
	server = newEnd(t, socketOf(fds[0]), memory, ring.Server, ofServer)
	client = newEnd(t, socketOf(fds[1]), opened, ring.Client, ofClient)
	server.memory, client.memory = bytes, bytes
	return server, client
}

// newEnd returns an end, which is closed with the test; without one, by its user.
func newEnd(t testing.TB, socket *net.UnixConn, m *ring.Memory, which ring.End, spinners *ring.Spinners) *end {
	raw, err := socket.SyscallConn()
	if err != nil {
		panic(err)
	}
	e := &end{ring.NewConn(m, which, ring.Socket{Raw: raw}, spinners), socket, nil}
	if t != nil {
		t.Cleanup(e.close)
	}
	return e
}

// writeAll writes all of b, in pieces of random sizes.
func (e *end) writeAll(b []byte, random *rand.Rand) error {
	for len(b) > 0 {
		var pieces [][]byte
		for rest := b; len(rest) > 0 && len(pieces) < 5; {
			n := min(len(rest), random.IntN(1<<random.IntN(18)))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		n, err := e.Write(pieces, true)
		b = b[n:]
		if err != nil {
			return err
		}
	}
	return nil
}

func TestBytesArriveAsTheyWereSentBothWays(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	content := make([]byte, 8<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	failed := make(chan error, 4)
	for i, e := range []*end{server, client} {
		go func() { failed <- e.writeAll(content, rand.New(rand.NewPCG(3, uint64(i)))) }()
		go func() {
			random := rand.New(rand.NewPCG(4, uint64(i)))
			got := make([]byte, 0, len(content))
			for len(got) < len(content) {
				room := got[len(got):cap(got)]
				n, err := e.Read(room[:min(len(room), 1+random.IntN(1<<random.IntN(18)))])
				if err != nil {
					failed <- err
					return
				}
				got = got[:len(got)+n]
			}
			if !bytes.Equal(got, content) {
				failed <- io.ErrNoProgress
				return
			}
			failed <- nil
		}()
	}
	for range 4 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
