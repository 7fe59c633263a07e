package ring_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

func TestCloseEndsEverythingAtAnyTime(t *testing.T) {
	t.Parallel()
	for i := range 300 {
		server, client := pair(t)
		var all sync.WaitGroup
		began := make(chan struct{}, 4)
		for _, e := range []*end{server, client} {
			all.Go(func() {
				b := make([]byte, 1+i*10)
				began <- struct{}{}
				for {
					if _, err := e.Write([][]byte{b}, true); err != nil {
						if errors.Is(err, ring.ErrViolation) {
							t.Error(err)
						}
						return
					}
				}
			})
			all.Go(func() {
				began <- struct{}{}
				if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{e}, make([]byte, 1000)); errors.Is(err, ring.ErrViolation) {
					t.Error(err)
				}
			})
		}
		for range i % 5 {
			<-began
		}
		all.Go(server.close)
		all.Go(server.Stop)
		all.Go(func() { client.Recall(); client.Unread() })
		all.Wait() // as the client's goroutines see the end of the socket
		client.close()
	}
}

func TestAClosedConnectionSaysSo(t *testing.T) {
	t.Parallel()
	server, _ := pair(t)
	server.close()
	server.close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: got %v", err)
	}
	if _, err := server.Write([][]byte{{1}}, true); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: got %v", err)
	}
	if _, err := server.Await(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Await: got %v", err)
	}
	server.Stop()
	server.Shutdown()
	if server.Unread() != 0 || server.Recall() != 0 || !server.Empty() || server.Idle() {
		t.Error("a closed connection holds something")
	}
}

func TestMemoryIsThereUntilNobodyUsesIt(t *testing.T) {
	server, client := pair(t)
	before := mappings(t) - 2
	read := make(chan error)
	go func() { _, err := server.Read(make([]byte, 1)); read <- err }()
	client.close()
	if err := <-read; !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
	server.close()
	if after := mappings(t); after != before {
		t.Errorf("%d mappings of rings, and %d before", after, before)
	}
}

func TestWhatWasWrittenBeforeTheEndIsRead(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	if _, err := server.Write([][]byte{[]byte("last")}, true); err != nil {
		t.Fatal(err)
	}
	server.close()
	b, err := io.ReadAll(client)
	if string(b) != "last" || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q and %v", b, err)
	}
}

func TestStopTakesWhatIsThereAndNothingMore(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	if _, err := client.Write([][]byte{[]byte("one"), []byte("two")}, true); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	n, err := client.Write([][]byte{[]byte("three")}, true)
	if n != 0 || !errors.Is(err, ring.ErrStopped) || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after Stop: got %d and %v", n, err)
	}
	if b, err := io.ReadAll(server); string(b) != "onetwo" || err != nil {
		t.Errorf("got %q and %v", b, err)
	}
}

func TestStopWakesAWriterThatWaitsForRoom(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	full(t, client)
	written := make(chan error)
	go func() { _, err := client.Write([][]byte{{1}}, true); written <- err }()
	awaitSleep(t, client.memory, 384)
	server.Stop()
	if err := <-written; !errors.Is(err, ring.ErrStopped) {
		t.Errorf("got %v", err)
	}
}

// full writes until there is no room.
func full(t testing.TB, e *end) (n int) {
	t.Helper()
	b := make([]byte, 1000)
	for {
		part, err := e.Write([][]byte{b}, false)
		if err != nil {
			t.Fatal(err)
		}
		if n += part; part < len(b) {
			return n
		}
	}
}

func TestAWriterSleepsUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	n := full(t, client)
	if got := client.Unread(); got != n {
		t.Errorf("%d bytes are unread, want %d", got, n)
	}
	written := make(chan error)
	go func() { _, err := client.Write([][]byte{{1}}, true); written <- err }()
	// Nobody reads from client, so its writer waits for the doorbell itself; then its reader does, for both.
	if _, err := io.CopyN(io.Discard, server, int64(n)); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, server, 1); err != nil {
		t.Fatal(err)
	}
	n = full(t, client)
	read := make(chan error)
	go func() { _, err := client.Read(make([]byte, 1)); read <- err }()
	awaitSleep(t, client.memory, 768)
	go func() { _, err := client.Write([][]byte{{1}}, true); written <- err }()
	awaitSleep(t, client.memory, 384)
	if _, err := io.CopyN(io.Discard, server, int64(n)); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([][]byte{{1}}, true); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}

// awaitSleep waits until the goroutine whose word that is sleeps, or is about to.
func awaitSleep(t *testing.T, memory []byte, word int) {
	t.Helper()
	fixture.Eventually(t, "a goroutine to sleep", func() bool {
		return (*atomic.Uint32)(unsafe.Pointer(&memory[word])).Load() != 0
	})
}

func TestShutdownLeavesWhatHasArrived(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	server.Write([][]byte{[]byte("arrived")}, true)
	client.Shutdown()
	client.socket.CloseWrite()
	client.socket.CloseRead()
	if _, err := client.Write([][]byte{{1}}, true); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write: got %v", err)
	}
	if b, err := io.ReadAll(client); string(b) != "arrived" || err != nil {
		t.Errorf("got %q and %v", b, err)
	}
	if _, err := server.Write([][]byte{{1}}, true); !errors.Is(err, ring.ErrStopped) {
		t.Errorf("Write of the other end: got %v", err)
	}
}

func TestInterruptEndsReadAndWriteUntilItIsTakenBack(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	server.Write([][]byte{{1}}, true)
	client.Interrupt(os.ErrDeadlineExceeded)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: got %v", err)
	}
	if _, err := client.Write([][]byte{{1}}, true); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: got %v", err)
	}
	client.Interrupt(nil)
	if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("Read after that: got %d and %v", n, err)
	}
	read := make(chan error)
	go func() { _, err := client.Read(make([]byte, 1)); read <- err }()
	client.Interrupt(os.ErrDeadlineExceeded)
	client.socket.SetDeadline(time.Unix(0, 0))
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read that waits: got %v", err)
	}
}

func TestIdleTakesDoorbellsThatNobodyHasHeard(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	for range 3 {
		server.socket.Write([]byte{ring.Doorbell})
	}
	if !client.Idle() {
		t.Error("not idle after doorbells")
	}
	raw, _ := client.socket.SyscallConn()
	raw.Control(func(fd uintptr) {
		if _, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT); err != unix.EAGAIN {
			t.Errorf("the socket is not empty: %v", err)
		}
	})
	server.Write([][]byte{{1}}, true)
	if client.Idle() || client.Empty() {
		t.Error("idle with something to read")
	}
	if n, err := client.TryRead(make([]byte, 5)); n != 1 || err != nil {
		t.Errorf("got %d and %v", n, err)
	}
	if n, err := client.TryRead(make([]byte, 5)); n != 0 || err != nil {
		t.Errorf("with nothing to read: got %d and %v", n, err)
	}
	if !client.Idle() {
		t.Error("not idle after everything was read")
	}
	server.close()
	if client.Idle() {
		t.Error("idle without another end")
	}
}

func TestOtherBytesOnTheSocketAreAViolation(t *testing.T) {
	t.Parallel()
	server, client := pair(t)
	server.socket.Write([]byte("x"))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, ring.ErrViolation) {
		t.Errorf("got %v", err)
	}
}

func TestReadingAndWritingTakeNoMemory(t *testing.T) {
	server, client := pair(t)
	out, in := [][]byte{make([]byte, 64)}, make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		client.Write(out, true)
		server.Read(in)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
