package clientstate

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
)

// settled is a rig whose last attempt has found no server, and at whose path nothing changes any more.
func (r *rig) settled(err error) {
	r.fail(err)
	r.watcher.events <- nil
	synctest.Wait()
	r.wakeUp()
	pass(settlePause)
}

// wakeUp forgets the reasons to try now.
func (r *rig) wakeUp() {
	select {
	case <-r.wake:
	default:
	}
}

// pass lets time pass in the bubble, whose clock goes on when all its goroutines wait.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// delay begins an attempt, and returns for how long the Monitor has delayed it.
func (r *rig) delay(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := r.BeginAttempt(t.Context()); err != nil {
		t.Error(err)
	}
	return time.Since(begin)
}

func TestAttemptIsDelayedWhileThereIsNoServer(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errNoFile, syscall.ENOTDIR, fmt.Errorf("connect: %w", syscall.ECONNREFUSED)} {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				r.settled(err)
				if got, want := r.delay(t), absentPause-settlePause; got != want {
					t.Errorf("it is delayed by %v, want %v after the last attempt", got, want)
				}
				r.AttemptFailed(err)
				if got := r.delay(t); got != absentPause {
					t.Errorf("the next time it is delayed by %v, want %v", got, absentPause)
				}
			})
		})
	}
}

func TestAttemptIsNotDelayedIfThereIsAReason(t *testing.T) {
	t.Parallel()
	for when, prepare := range map[string]func(*rig){
		"before the first attempt":        func(*rig) {},
		"while there is a server":         func(r *rig) { r.settled(errOther) },
		"after a server did not answer":   func(r *rig) { r.settled(errNoFile); r.accepted(); r.wakeUp() },
		"after a connection":              func(r *rig) { r.settled(errNoFile); r.connect(); r.shows(connectivity.Idle) },
		"before the watch works":          func(r *rig) { r.fail(errNoFile); pass(settlePause) },
		"after the watch failed":          func(r *rig) { r.settled(errNoFile); r.watcher.events <- errOther; synctest.Wait(); r.wakeUp() },
		"while something waits":           func(r *rig) { r.settled(errNoFile); r.AddWaiter(); r.wakeUp() },
		"soon after a change at the path": func(r *rig) { r.settled(errNoFile); r.watcher.events <- nil; synctest.Wait(); r.wakeUp() },
		"after something has waited":      func(r *rig) { r.settled(errNoFile); r.AddWaiter(); r.RemoveWaiter() },
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				prepare(r)
				if got := r.delay(t); got != 0 {
					t.Errorf("it is delayed by %v", got)
				}
			})
		})
	}
}

func TestDelayEnds(t *testing.T) {
	t.Parallel()
	for when, end := range map[string]func(*rig){
		"at a change at the path": func(r *rig) { r.watcher.events <- nil },
		"when the watch fails":    func(r *rig) { r.watcher.events <- errOther },
		"when something waits":    func(r *rig) { r.AddWaiter() },
		"when somebody waits for it": func(r *rig) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			r.AwaitReady(ctx)
		},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, r *rig) {
				r.settled(errNoFile)
				time.AfterFunc(time.Second, func() { end(r) })
				if got := r.delay(t); got != time.Second {
					t.Errorf("it is delayed by %v", got)
				}
			})
		})
	}
}

// The attempt that is not made has no result of its own.
func TestDelayThatIsCutShortFailsAsTheLastAttempt(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		r.settled(errNoFile)
		r.DirectFailed(errOther)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.BeginAttempt(ctx); !errors.Is(err, errNoFile) {
			t.Errorf("error is %v", err)
		}
		if got := r.Stats().Failed; got != 1 || r.view().conn != connAbsent {
			t.Errorf("there are %d failures, and the connection is %s", got, connNames[r.view().conn])
		}
	})
}
