package lateconn_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/lateconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newConn returns a connection to nowhere, and how often it was made.
func newConn(t *testing.T) (*lateconn.Conn, *atomic.Int32) {
	var made atomic.Int32
	c := lateconn.New(func() (*grpc.ClientConn, error) {
		made.Add(1)
		return grpc.NewClient("passthrough:///nowhere", grpc.WithTransportCredentials(insecure.NewCredentials()))
	})
	t.Cleanup(func() { c.Close() })
	return c, &made
}

func TestConnIsMadeOnceAndWhenItIsNeeded(t *testing.T) {
	t.Parallel()
	c, made := newConn(t)
	if state := c.GetState(); state != connectivity.Idle {
		t.Errorf("it is %v before it is made", state)
	}
	c.ResetConnectBackoff()
	if n := made.Load(); n != 0 {
		t.Fatalf("it was made %d times though nobody needs it", n)
	}
	var callers sync.WaitGroup
	var first atomic.Pointer[grpc.ClientConn]
	for range 10 {
		callers.Go(func() {
			got, err := c.Get()
			if err != nil || !first.CompareAndSwap(nil, got) && first.Load() != got {
				t.Errorf("there is another, %v", err)
			}
		})
	}
	callers.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("it was made %d times", n)
	}
}

// Whoever waits for it to change, or has it connect, needs it.
func TestConnIsMadeByWaitingAndByConnecting(t *testing.T) {
	t.Parallel()
	waited, made := newConn(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if waited.WaitForStateChange(ctx, connectivity.Idle) || made.Load() != 1 {
		t.Errorf("the state changed, or it was made %d times", made.Load())
	}
	connected, made := newConn(t)
	connected.Connect()
	if !connected.WaitForStateChange(t.Context(), connectivity.Idle) || made.Load() != 1 {
		t.Errorf("it does not connect, or was made %d times", made.Load())
	}
}

func TestClosedConnIsAndStaysClosed(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"made before": true, "made after": false} {
		c, made := newConn(t)
		if before {
			c.Get()
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: the first Close returns %v", name, err)
		}
		if err := c.Close(); status.Code(err) != codes.Canceled {
			t.Errorf("%s: the second Close returns %v", name, err)
		}
		if state := c.GetState(); state != connectivity.Shutdown || before != (made.Load() == 1) {
			t.Errorf("%s: closed, it is %v, and was made %d times", name, state, made.Load())
		}
		conn, err := c.Get()
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Invoke(t.Context(), "/s/m", nil, nil); status.Code(err) != codes.Canceled {
			t.Errorf("%s: a call comes to %v", name, err)
		}
	}
}

func TestConnThatCannotBeMadeIsTriedAgain(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong option")
	tries := 0
	c := lateconn.New(func() (*grpc.ClientConn, error) { tries++; return nil, wrong })
	c.Connect()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c.WaitForStateChange(ctx, connectivity.Idle) {
		t.Error("its state changed")
	}
	if _, err := c.Get(); !errors.Is(err, wrong) || tries != 3 {
		t.Errorf("try %d comes to %v", tries, err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close returns %v", err)
	}
}
