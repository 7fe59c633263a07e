package ring_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// words are where the memory has the words of both directions.
var words = []int{0, 128, 256, 320, 384, 448, 512, 640, 768, 832, 896, 960}

// victim returns the server's end of a connection, the memory as the other end sees it, and the other end's socket.
func victim(t testing.TB) (e *end, memory []byte, socket int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, fd, err := ring.New()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	memory, err = unix.Mmap(fd, 0, ring.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	return newEnd(nil, socketOf(fds[0]), m, ring.Server, ring.NewSpinners()), memory, fds[1]
}

// An end that writes anything into the memory at any time costs the other end the connection, and nothing else.
// UDSGRPC_RING_HOSTILE says how long to try, as 5m.
func TestAHostileEndDoesNoHarm(t *testing.T) {
	t.Parallel()
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("with GOMAXPROCS=1 the two ends never run at the same time")
	}
	long, err := time.ParseDuration(os.Getenv("UDSGRPC_RING_HOSTILE"))
	if err != nil {
		long = 2 * time.Second
	}
	violations, bytes := 0, 0
	guard := time.Now().Add(long + fixture.Guard)
	for end := time.Now().Add(long); time.Now().Before(end) || (violations == 0 || bytes == 0) && time.Now().Before(guard); {
		e, memory, socket := victim(t)
		var stop atomic.Bool
		var attack, work sync.WaitGroup
		attack.Go(func() {
			for random := rand.New(rand.NewPCG(rand.Uint64(), 0)); !stop.Load(); {
				assault(random, memory, socket)
			}
		})
		e.socket.SetDeadline(time.Now().Add(20 * time.Millisecond))
		fails := func(err error) bool {
			if errors.Is(err, ring.ErrViolation) {
				violations++
			}
			return err != nil
		}
		work.Go(func() {
			for b := make([]byte, 5000); ; {
				n, err := e.Read(b[:1+rand.IntN(len(b)-1)])
				if bytes += n; fails(err) {
					return
				}
			}
		})
		work.Go(func() {
			for b := make([]byte, 5000); ; {
				if _, err := e.Write([][]byte{b[:rand.IntN(len(b))], b[:rand.IntN(len(b))]}, true); err != nil {
					return
				}
			}
		})
		over := time.AfterFunc(25*time.Millisecond, func() { e.Interrupt(os.ErrDeadlineExceeded) }) // as its owner does
		work.Wait()
		over.Stop()
		stop.Store(true)
		attack.Wait()
		e.close()
		unix.Close(socket)
		unix.Munmap(memory)
	}
	if violations == 0 || bytes == 0 {
		t.Errorf("%d violations, and %d bytes read: the hostile end did nothing of use", violations, bytes)
	}
	t.Logf("%d violations, %d bytes", violations, bytes)
}

// assault does something to the memory, most often what nearly is as it should be.
func assault(random *rand.Rand, memory []byte, socket int) {
	word := words[random.IntN(len(words))]
	now := binary.NativeEndian.Uint32(memory[word:])
	switch random.IntN(8) {
	case 0:
		binary.NativeEndian.PutUint32(memory[word:], random.Uint32())
	case 1:
		binary.NativeEndian.PutUint32(memory[word:], now^1<<random.IntN(32))
	case 2, 3, 4: // as if it had written
		now = binary.NativeEndian.Uint32(memory[128:])
		binary.NativeEndian.PutUint32(memory[0:], now+random.Uint32N(100))
	case 5, 6: // as if it had read
		binary.NativeEndian.PutUint32(memory[640:], binary.NativeEndian.Uint32(memory[512:]))
	default:
		at := random.IntN(len(memory) - 100)
		for i := range 100 {
			memory[at+i] = byte(random.Uint32())
		}
	}
	if random.IntN(100) == 0 {
		unix.Write(socket, []byte{ring.Doorbell})
	}
}

// FuzzMemory does to the memory, and with the other end, what the bytes say.
func FuzzMemory(f *testing.F) {
	f.Add([]byte{0, 0, 5, 0, 0, 0, 1, 10, 2, 200, 0, 7, 3, 0, 0, 0, 2, 1, 3, 0, 1, 9, 4, 0})
	f.Add([]byte{2, 255, 0, 7, 255, 255, 255, 255, 2, 1})
	f.Add([]byte{5, 1, 6, 0, 0, 0, 1, 0, 0, 128, 1, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		e, memory, socket := victim(t)
		defer unix.Munmap(memory)
		defer unix.Close(socket)
		defer e.close()
		buffer := make([]byte, 300*256)
		for len(script) >= 2 {
			what, n := script[0], int(script[1])
			script = script[2:]
			switch what % 8 {
			case 0: // a word
				if len(script) < 4 {
					return
				}
				copy(memory[words[n%len(words)]:], script[:4])
				script = script[4:]
			case 1:
				got, err := e.TryRead(buffer[:n*300])
				checkResult(t, got, n*300, err)
			case 2:
				got, err := e.Write([][]byte{buffer[:n], buffer[:n*299]}, false)
				checkResult(t, got, n*300, err)
			case 3:
				e.Stop()
			case 4:
				if r := e.Recall(); r < 0 || r > ring.Size {
					t.Fatalf("recalled %d bytes", r)
				}
			case 5:
				if u := e.Unread(); u < 0 || u > ring.Size {
					t.Fatalf("%d bytes are unread", u)
				}
				e.Idle()
			case 6: // a word to be as another
				copy(memory[words[n%len(words)]:], slices.Clone(memory[words[n/16%len(words)]:][:4]))
			case 7:
				unix.Write(socket, []byte{byte(n & 1)})
			}
		}
	})
}

func checkResult(t *testing.T, n, most int, err error) {
	t.Helper()
	known := err == nil || errors.Is(err, ring.ErrViolation) || errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE)
	if n < 0 || n > most || !known {
		t.Fatalf("got %d bytes of %d, error %v", n, most, err)
	}
}
