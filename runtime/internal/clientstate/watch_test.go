package clientstate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestPathIsWatchedWhileAttemptsFail(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		check := func(what string, begun, running int64) {
			t.Helper()
			synctest.Wait()
			if r.watcher.begun.Load() != begun || r.watcher.running.Load() != running {
				t.Errorf("%s: %d watches were begun, and %d are running; want %d and %d", what, r.watcher.begun.Load(), r.watcher.running.Load(), begun, running)
			}
		}
		r.fail(context.Canceled)
		check("an attempt was given up", 0, 0)
		r.fail(errNoFile)
		check("an attempt failed", 1, 1)
		r.fail(errOther)
		r.begin()
		r.ServerRefused(errRefused)
		check("more have failed", 1, 1)
		r.watcher.events <- nil
		synctest.Wait()
		if _, resets, _ := r.channel.counted(); resets != 1 {
			t.Errorf("a change at the path has ended %d pauses of grpc", resets)
		}
		r.accepted()
		check("a server has accepted", 1, 0)
		r.fail(errNoFile)
		check("an attempt failed again", 2, 1)
		r.begin()
		r.shows(connectivity.Ready)
		check("an unknown server has answered", 2, 0)
		r.shows(connectivity.Idle)
		r.fail(errNoFile)
		check("and is gone", 3, 1)
		r.Close()
		check("the client is closed", 3, 0)
		r.AttemptFailed(errNoFile)
		check("an attempt fails later", 3, 0)
	})
}

func TestWatchThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		r.fail(errNoFile)
		r.watcher.events <- errOther
		pass(rewatchPause - time.Millisecond)
		if r.watcher.begun.Load() != 1 {
			t.Errorf("it was tried again within %v", rewatchPause)
		}
		pass(time.Millisecond)
		if r.watcher.running.Load() != 1 {
			t.Error("it was not tried again")
		}
	})
}

func TestWhatCannotBeWatchedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		r.fail(errNoFile)
		r.watcher.events <- socket.ErrUnsupported
		pass(2 * rewatchPause)
		if r.watcher.begun.Load() != 1 {
			t.Errorf("it was tried %d times", r.watcher.begun.Load())
		}
		if got := r.delay(t); got != 0 {
			t.Errorf("without a watch it is delayed by %v", got)
		}
	})
}
