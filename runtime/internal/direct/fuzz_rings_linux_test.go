package direct

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// FuzzServerRing: whatever a client writes to its ring, the server does not panic or hang, and says what was wrong.
func FuzzServerRing(f *testing.F) {
	for _, b := range clientBytes() {
		f.Add(b)
	}
	h := newHost(f, service{}, ServerConfig{MaxRecv: 64 << 10, Rings: testRings()})
	f.Fuzz(func(t *testing.T, sent []byte) {
		overRings(t)
		h := &host{Server: h.Server, t: t, errs: make(chan error, 1)}
		w := h.connectRings()
		memory, err := ring.Open(w.takeOffer())
		if err != nil {
			t.Fatal(err)
		}
		w.send(ringFrame(wire.RingMoved))
		w.want(wire.KindRing)
		raw, err := w.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		r := ring.NewConn(memory, ring.Client, ring.Socket{Raw: raw}, ring.NewSpinners())
		defer r.Close()
		go func() {
			r.Write([][]byte{sent}, true) // fails if the server has hung up
			w.CloseWrite()
		}()
		io.Copy(io.Discard, onlyReader{r})
		err = await(t, "Serve", h.errs)
		if v := wire.Violation(""); err != nil && !errors.As(err, &v) {
			t.Errorf("Serve comes to %v", err)
		}
		h.runs.Wait()
	})
}

// FuzzClientRing: whatever a server writes to its ring, the call ends with a status.
func FuzzClientRing(f *testing.F) {
	for _, b := range serverBytes() {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, answer []byte, stream bool) {
		overRings(t)
		c, _ := newClient(t, ringServer(t, func(w *rawConn) {
			if !w.skipCall() {
				return
			}
			r := w.offer()
			if k, _, err := w.next(); k != wire.KindRing || err != nil {
				return // the client has given up
			}
			w.Write(ringFrame(wire.RingMoved))
			r.Write([][]byte{answer}, true)
			w.CloseWrite()
			w.next()
		}))
		var err error
		if stream {
			err = streamThrough(t, c)
		} else {
			_, err = invoke(t, c, "x")
		}
		if _, ok := status.FromError(err); !ok {
			t.Errorf("the call comes to %v", err)
		}
	})
}
