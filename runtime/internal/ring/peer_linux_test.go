package ring_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// mirrorRole returns everything on its connection, in pieces of other sizes.
func mirrorRole([]string) {
	e := inherited(0, ring.NewSpinners())
	defer e.close()
	random := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 200<<10)
	for {
		n, err := e.Read(b[:1+random.IntN(1<<random.IntN(17))])
		if err != nil {
			return
		}
		if e.writeAll(b[:n], random) != nil {
			return
		}
	}
}

// floodRole writes without end.
func floodRole([]string) {
	e := inherited(0, ring.NewSpinners())
	for b := make([]byte, 1000); ; {
		if _, err := e.Write([][]byte{b}, true); err != nil {
			return
		}
	}
}

func TestAnotherProcessGetsAndReturnsTheSameBytes(t *testing.T) {
	t.Parallel()
	p := start(t, "mirror", 1)
	e := p.end(t, 0, ring.NewSpinners())
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 16<<20)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	failed := make(chan error, 1)
	go func() { failed <- e.writeAll(content, random) }()
	sum := sha256.New()
	if _, err := io.CopyN(sum, e, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if [32]byte(sum.Sum(nil)) != sha256.Sum256(content) {
		t.Error("other bytes were returned")
	}
	p.close(t)
}

func TestAKilledProcessIsTheEndAfterWhatItHasWritten(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := start(t, "flood", 1)
		e := p.end(t, 0, ring.NewSpinners())
		if _, err := io.CopyN(io.Discard, e, 1+rand.Int64N(1<<20)); err != nil {
			t.Fatal(err)
		}
		p.Process.Kill()
		p.Wait()
		n, err := io.Copy(io.Discard, e)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) || n > ring.Size {
			t.Errorf("read %d more bytes and got %v, want the end", n, err)
		}
		e.close()
	}
}

func TestAStoppedProcessIsWaitedForUntilTheDeadline(t *testing.T) {
	t.Parallel()
	p := start(t, "mirror", 1)
	e := p.end(t, 0, ring.NewSpinners())
	one := make([]byte, 1)
	echo := func() error {
		if _, err := e.Write([][]byte{one}, true); err != nil {
			return err
		}
		_, err := e.Read(one)
		return err
	}
	if err := echo(); err != nil {
		t.Fatal(err)
	}
	signal(t, p, syscall.SIGSTOP)
	e.socket.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if err := echo(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v of a stopped process", err)
	}
	full := make([]byte, ring.Size)
	if err := e.writeOut(full); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a full ring of a stopped process: got %v", err)
	}
	e.socket.SetDeadline(time.Time{})
	signal(t, p, syscall.SIGCONT)
	if _, err := e.Read(one); err != nil {
		t.Errorf("after it went on: got %v", err)
	}
	e.close()
	p.close(t)
}

// signal sends a signal that stops a process or lets it go on, and waits until it has.
func signal(t *testing.T, p *process, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	what := unix.WSTOPPED
	if s == syscall.SIGCONT {
		what = unix.WCONTINUED
	}
	if err := unix.Waitid(unix.P_PID, p.Process.Pid, nil, what, nil); err != nil {
		t.Fatal(err)
	}
}
