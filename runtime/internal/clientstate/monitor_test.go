package clientstate

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
)

// The channel shows the same state as before when its connection was lost and made again meanwhile.
func TestConnectionThatIsReplacedUnseenIsNoticed(t *testing.T) {
	t.Parallel()
	for name, accept := range map[string]func(*rig){
		"own credentials": func(r *rig) { r.Accepted(server) },
		"unknown server":  func(*rig) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				r.begin()
				accept(r)
				synctest.Wait()
				r.channel.beforeWait = func() { // follow has seen that the channel is ready
					r.channel.set(connectivity.Idle)
					r.BeginAttempt(t.Context())
					accept(r)
					r.channel.set(connectivity.Ready)
				}
				r.shows(connectivity.Ready)
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.readied != 2 || r.conn != connReady {
					t.Errorf("the connection became ready %d times, and is %s", r.readied, connNames[r.conn])
				}
			})
		})
	}
}

// A client that needs no connection of HTTP/2 has no goroutine for it.
func TestChannelIsFollowedFromTheFirstAttempt(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*rig){
		"attempt":  func(r *rig) { r.BeginAttempt(context.Background()) },
		"accepted": func(r *rig) { r.Accepted(server) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				check := func(when string, want int) {
					t.Helper()
					synctest.Wait()
					if _, _, awaiting := r.channel.counted(); awaiting != want {
						t.Errorf("%s: %d goroutines follow the channel, want %d", when, awaiting, want)
					}
				}
				r.DirectConnected(server)
				r.DirectLost()
				check("nothing needs HTTP/2", 0)
				begin(r)
				begin(r)
				check("there were attempts", 1)
				r.Close()
				begin(r)
				check("the client is closed", 0)
			})
		})
	}
}

func TestAwaitReadyConnectsAndWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		waited := make(chan error, 1)
		go func() { waited <- r.AwaitReady(context.Background()) }()
		synctest.Wait()
		if connects, _, _ := r.channel.counted(); connects != 1 || r.waiters.Load() != 1 {
			t.Errorf("the channel was told to connect %d times for %d waiters", connects, r.waiters.Load())
		}
		r.accepted()
		r.shows(connectivity.Idle) // the server has hung up
		if connects, _, _ := r.channel.counted(); connects != 2 {
			t.Errorf("the channel was told to connect %d times", connects)
		}
		r.accepted()
		select {
		case err := <-waited:
			t.Fatalf("it has not waited for the answer: %v", err)
		default:
		}
		if r.Ready() {
			t.Error("ready before the server has answered")
		}
		r.channel.set(connectivity.Ready)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if !r.Ready() || r.waiters.Load() != 0 {
			t.Errorf("ready: %v, with %d waiters", r.Ready(), r.waiters.Load())
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.AwaitReady(ended); err != nil {
			t.Errorf("with a connection it returns %v", err)
		}
		r.channel.set(connectivity.Idle) // and nobody has looked yet
		if r.Ready() {
			t.Error("ready without a connection")
		}
	})
}

func TestAwaitReadyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		if err := r.AwaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Hour {
			t.Errorf("after %v the error is %v", time.Since(begin), err)
		}
	})
}

func TestAwaitReadyEndsWithTheClient(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig){
		"channel is shut down": func(r *rig) { r.channel.set(connectivity.Shutdown) },
		"monitor is closed":    func(r *rig) { r.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				waited := make(chan error, 1)
				go func() { waited <- r.AwaitReady(context.Background()) }()
				synctest.Wait()
				end(r)
				if err := <-waited; !errors.Is(err, net.ErrClosed) {
					t.Errorf("error is %v", err)
				}
				if err := r.AwaitReady(t.Context()); !errors.Is(err, net.ErrClosed) {
					t.Errorf("afterwards the error is %v", err)
				}
			})
		})
	}
}

func TestConnectionIsCountedAsSoonAsTheChannelShowsIt(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		r.accepted()
		r.channel.set(connectivity.Ready) // follow has not run yet
		if n := r.Stats().HTTP2.Connections; n != 1 {
			t.Errorf("%d connections are counted, want 1", n)
		}
	})
}
