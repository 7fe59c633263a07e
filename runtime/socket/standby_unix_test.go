//go:build unix

package socket_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// standBy waits for path on a goroutine of its own.
func standBy(t *testing.T, ctx context.Context, path string) <-chan *socket.Listener {
	t.Helper()
	got := make(chan *socket.Listener, 1)
	go func() {
		defer close(got)
		l, err := (&socket.ListenConfig{}).ListenStandby(ctx, path)
		if err != nil {
			t.Error(err)
			return
		}
		got <- l
	}()
	return got
}

func TestStandbyTakesOverFromAnOwnerThatIsKilled(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	for range 5 {
		owner := testproc.Start(t, "listen", path)
		owner.Line()
		got := standBy(t, t.Context(), path)
		checkGreets(t, path)
		killed := time.Now()
		owner.Kill()
		l := <-got
		took := time.Since(killed)
		t.Logf("took over in %v", took)
		if took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		checkConnects(t, l, path)
		l.Close()
	}
}

func TestStandbyTakesOverFromAnOwnerThatCloses(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner := listen(t, path)
	first, second := standBy(t, t.Context(), path), standBy(t, t.Context(), path)
	owner.Close()
	var l *socket.Listener
	var other <-chan *socket.Listener
	select {
	case l = <-first:
		other = second
	case l = <-second:
		other = first
	}
	checkConnects(t, l, path)
	select {
	case <-other:
		t.Fatal("two have the path")
	default:
	}
	l.Close()
	l = <-other
	checkConnects(t, l, path)
	l.Close()
}

func TestStandbyTakesOverFromAServerThatTakesNoLock(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	foreign, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	got := standBy(t, t.Context(), path)
	foreign.Close()
	l := <-got
	checkConnects(t, l, path)
	l.Close()
}

func TestStandbyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l := listen(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := (&socket.ListenConfig{}).ListenStandby(ctx, path)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	checkConnects(t, l, path)
}

func TestStandbyWaitsForNothingButItsTurn(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l, err := (&socket.ListenConfig{}).ListenStandby(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	checkConnects(t, l, path)
	l.Close()
	if _, err := (&socket.ListenConfig{}).ListenStandby(t.Context(), path+"/no/such"); errors.Is(err, socket.ErrInUse) || err == nil {
		t.Errorf("error is %v", err)
	}
}
