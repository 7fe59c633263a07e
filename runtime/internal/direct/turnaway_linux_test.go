package direct

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// When a server stops, its connections' goroutines may not have run for long. Clients are told all the same which
// calls are unprocessed.
func TestClientsOfAServerThatStopsKnowWhatIsUnprocessed(t *testing.T) {
	t.Parallel()
	goAway := string(goAwayFrame)
	for name, tc := range map[string]struct {
		sent string // after the introduction
		want string // what arrives before the connection ends
	}{
		"no call":            {"", goAway},
		"half a header":      {string(unaryCall("x")[:3]), goAway},
		"half a unary call":  {string(unaryCall("x")[:len(unaryCall("x"))-1]), goAway},
		"half a server call": {string(concat(callFrame(downMethod, nil), messageFrame("x"))), goAway},
		"a stream":           {string(callFrame(bothMethod, nil)), ""}, // it has begun
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := make(chan struct{})
			h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
				close(begun)
				<-ss.Context().Done()
				return nil
			}}, ServerConfig{})
			w := h.connect()
			w.send([]byte(tc.sent))
			if tc.want == "" {
				await(t, "the handler", begun)
			} else {
				h.awaitRead(len(tc.sent))
			}
			h.Stop()
			if got, _ := io.ReadAll(w.in); string(got) != tc.want {
				t.Errorf("the client gets %q, want %q", got, tc.want)
			}
		})
	}
}

// awaitRead waits until the only connection has read n bytes, which are part of a frame or of a call.
func (h *host) awaitRead(n int) {
	h.t.Helper()
	fixture.Eventually(h.t, "the server to read", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for sc := range h.conns {
			sc.mu.Lock()
			defer sc.mu.Unlock()
			return sc.stage == stageWelcome && sc.parked.Load() && (n < wire.FrameHeaderLen || sc.busy)
		}
		return false
	})
}

// A client that waits for the answer to its preface gets one that lets it make its call in another way.
func TestClientsThatAreNotWelcomedYetAreToldToUseHTTP2(t *testing.T) {
	t.Parallel()
	h := newHost(t, service{}, ServerConfig{})
	client, server := pair(t)
	h.accept(server)
	w := newRawConn(t, client)
	w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil))
	fixture.Eventually(t, "the connection", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.conns) == 1
	})
	h.Stop()
	want := string(wire.Answer{Full: true}.Append(nil))
	if got, _ := io.ReadAll(w.in); string(got) != want {
		t.Errorf("the client gets %q, want %q", got, want)
	}
}

// Once the contexts of calls have ended, no call begins that could not do anything, and those that run finish.
func TestNoCallBeginsWhenCallsAreRefused(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 1), make(chan struct{})
	var ran atomic.Int32
	h := newHost(t, service{unary: func(_ context.Context, m *blob) (*blob, error) {
		ran.Add(1)
		entered <- struct{}{}
		<-release
		return m, nil
	}}, ServerConfig{})
	t.Cleanup(func() { close(release) }) // before the host waits for its handlers
	running, idle, streams := h.connect(), h.connect(), h.connect()
	running.send(unaryCall("x"))
	await(t, "the handler", entered)
	h.RefuseCalls()
	late := h.connect()
	idle.send(unaryCall("x"))
	idle.want(wire.KindGoAway)
	streams.send(callFrame(bothMethod, nil))
	streams.want(wire.KindGoAway)
	late.send(callFrame("/t.T/Unknown", nil))
	late.want(wire.KindGoAway)
	release <- struct{}{}
	running.want(wire.KindMessage)
	running.wantStatus()
	if n := ran.Load(); n != 1 {
		t.Errorf("%d calls have begun, want 1", n)
	}
}
