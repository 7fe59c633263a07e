package direct

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// A client that cannot have the memory says so, and its connection goes on over the socket. The reason is told once.
func TestClientGoesOnWithoutMemory(t *testing.T) {
	overRings(t)
	file := func(name string, size int64, seals int) func(*testing.T) []int {
		return func(t *testing.T) []int {
			fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
			if err := unix.Ftruncate(fd, size); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
				t.Fatal(err)
			}
			return []int{fd}
		}
	}
	const good = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	for name, fds := range map[string]func(*testing.T) []int{
		"no descriptor":  func(*testing.T) []int { return nil },
		"not sealed":     file("unsealed", ring.Size, 0),
		"may shrink":     file("shrinks", ring.Size, unix.F_SEAL_GROW|unix.F_SEAL_SEAL),
		"another size":   file("short", ring.Size-1, good),
		"no memory file": func(t *testing.T) []int { return []int{0} },
	} {
		t.Run(name, func(t *testing.T) {
			reasons := make(chan error, 10)
			conf := testRings()
			conf.Failed = func(err error) { reasons <- err }
			server := ringServer(t, func(w *rawConn) {
				for w.skipCall() {
					w.sendWith(ringFrame(wire.RingOffered), fds(t)...)
					w.send(messageFrame("y"), okFrame)
					if b := w.want(wire.KindRing); string(b) != string([]byte{byte(wire.RingDeclined)}) {
						t.Errorf("the client answers %q", b)
					}
					if !w.skipCall() {
						return
					}
					w.send(messageFrame("y"), okFrame)
				}
			})
			c := NewClient(ClientConfig{Dial: newSite(t, server).dial, MaxConns: 10, Rings: conf})
			defer c.Close()
			for range 2 {
				if got, err := invoke(t, c, "x"); got != "y" || err != nil {
					t.Errorf("a call comes to %q, %v", got, err)
				}
			}
			if n := len(reasons); n != 1 {
				t.Fatalf("%d reasons are told", n)
			}
			t.Log(<-reasons)
			if c.rings.takesTurns() {
				t.Error("unary calls take turns over sockets")
			}
		})
	}
}

// What a server may not say of rings.
func TestServerBreaksTheRulesOfRings(t *testing.T) {
	overRings(t)
	for name, script := range map[string]func(*rawConn){
		"moves without an offer": func(w *rawConn) { w.send(ringFrame(wire.RingMoved)) },
		"declines":               func(w *rawConn) { w.send(ringFrame(wire.RingDeclined)) },
		"says something else":    func(w *rawConn) { w.send(frame(wire.KindRing, 7)) },
		"says nothing":           func(w *rawConn) { w.send(frame(wire.KindRing)) },
		"two descriptors":        func(w *rawConn) { w.sendWith(ringFrame(wire.RingOffered), 0, 1) },
		"offers twice": func(w *rawConn) {
			w.offer()
			w.sendWith(ringFrame(wire.RingOffered), 0)
		},
		"no doorbell": func(w *rawConn) {
			w.offer()
			w.want(wire.KindRing)
			w.send(ringFrame(wire.RingMoved))
			io.Copy(w.UnixConn, bytes.NewReader([]byte("M")))
			w.next()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, ringServer(t, func(w *rawConn) {
				if w.skipCall() {
					script(w)
				}
			}))
			if _, err := invoke(t, c, "x"); status.Code(err) != codes.Internal {
				t.Errorf("the call comes to %v", err)
			}
		})
	}
}

// What a client may not say of them. The server closes the connection.
func TestClientBreaksTheRulesOfRings(t *testing.T) {
	overRings(t)
	for name, sent := range map[string][]byte{
		"moves without an offer": ringFrame(wire.RingMoved),
		"offers":                 ringFrame(wire.RingOffered),
		"says something else":    frame(wire.KindRing, 7),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{})
			w := h.connectRings()
			w.send(sent)
			w.wantClosed()
			if err := await(t, "Serve", h.errs); !isViolation(err, "ring frame") {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}

// connectRings is connect for a client that takes rings.
func (h *host) connectRings() *rawConn {
	h.t.Helper()
	client, server := pair(h.t)
	h.accept(server)
	w := newRawConn(h.t, client)
	w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version, Rings: true}.Append(nil), frame(wire.KindIntro, 0))
	hello := make([]byte, wire.AnswerLen)
	if _, err := io.ReadFull(w.in, hello); err != nil || !wire.ParseAnswer(hello).Rings {
		h.t.Fatalf("hello is %q, %v", hello, err)
	}
	return w
}

// takeOffer makes a call, and returns the descriptor that comes with the answer.
func (w *rawConn) takeOffer() int {
	w.t.Helper()
	w.send(unaryCall("x"))
	b, control := make([]byte, wire.FrameHeaderLen+1), make([]byte, 1000)
	n, received, _, _, err := w.ReadMsgUnix(b, control)
	if err != nil || string(b[:n]) != string(ringFrame(wire.RingOffered)) {
		w.t.Fatalf("received %q, %v", b[:n], err)
	}
	fds := descriptorsIn(control[:received])
	if len(fds) != 1 {
		w.t.Fatalf("received %d descriptors", len(fds))
	}
	w.want(wire.KindMessage)
	w.want(wire.KindStatus)
	return fds[0]
}

// A client may write anything to the memory, at any time. The server ends that connection, and nothing else.
func TestServerSurvivesAnythingInTheMemory(t *testing.T) {
	overRings(t)
	h := newHost(t, service{}, ServerConfig{})
	for seed := range uint64(40) {
		w := h.connectRings()
		fd := w.takeOffer()
		memory, err := unix.Mmap(fd, 0, ring.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		unix.Close(fd)
		if err != nil {
			t.Fatal(err)
		}
		w.send(ringFrame(wire.RingMoved))
		random := rand.New(rand.NewPCG(seed, 0))
		for range 2000 {
			scribble(random, memory, w)
		}
		w.Close()
		if err := await(t, "Serve", h.errs); err != nil {
			if v := wire.Violation(""); !errors.As(err, &v) {
				t.Errorf("the reason is %v", err)
			}
		}
		unix.Munmap(memory)
	}
	c, _ := newClient(t, h.accept)
	mustEcho(t, c, "x")
}

// A server may write anything, too. The call ends with a status, by its deadline at the latest, and the next is made on
// another connection.
func TestClientSurvivesAnythingInTheMemory(t *testing.T) {
	overRings(t)
	var seed atomic.Uint64
	c, _ := newClient(t, ringServer(t, func(w *rawConn) {
		if !w.skipCall() {
			return
		}
		m, fd, err := ring.New()
		if err != nil {
			t.Error(err)
			return
		}
		m.Close()
		memory, err := unix.Mmap(fd, 0, ring.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Munmap(memory)
		// The client may have hung up, as its call has a deadline.
		w.WriteMsgUnix(ringFrame(wire.RingOffered), unix.UnixRights(fd), nil)
		unix.Close(fd)
		w.Write(concat(messageFrame("y"), okFrame))
		if k, _, err := w.next(); k != wire.KindRing || err != nil {
			return
		}
		w.Write(ringFrame(wire.RingMoved))
		random := rand.New(rand.NewPCG(seed.Add(1), 1))
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			io.Copy(io.Discard, onlyReader{w.UnixConn})
		}()
		for {
			select {
			case <-gone:
				return
			default:
			}
			scribble(random, memory, w)
			runtime.Gosched()
		}
	}))
	for range 40 {
		if got, err := invoke(t, c, "x"); got != "y" || err != nil {
			t.Fatalf("a call before the memory comes to %q, %v", got, err)
		}
		for _, size := range []int{1, 300 << 10} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err := c.Invoke(ctx, unaryMethod, &blob{Value: make([]byte, size)}, &blob{}, nil)
			cancel()
			if _, ok := status.FromError(err); !ok && !errors.Is(err, ErrHTTP2) { // no connection in that time
				t.Errorf("a call comes to %v", err)
			}
			if err != nil {
				break // that connection has ended
			}
		}
		c.pool.sweepIdle() // and so have those that have survived it
		c.pool.sweepIdle()
	}
}

// scribble writes anything anywhere into the memory, mostly where its words are, and rings at times.
func scribble(random *rand.Rand, memory []byte, w io.Writer) {
	at := random.IntN(1024)
	if random.IntN(2) == 0 {
		at = random.IntN(ring.Size)
	}
	memory[at] = byte(random.Uint32())
	if random.IntN(20) == 0 {
		w.Write([]byte{0})
	}
}
