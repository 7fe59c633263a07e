package direct

import (
	"context"
	"sync/atomic"
	"time"
)

// Unary calls that a client makes at the same time take turns: some run, with rings, and the others wait until one of
// those has ended. A call that is answered quickly then costs hardly any system call, while calls on a connection
// each cost both ends several. The turn passes within the process, from one goroutine to the next.
//
// That holds only for calls that are answered quickly. If they are not, they stop taking turns: all run at once, each
// on a connection of its own. After a pause it is tried again. So a call that takes long delays others by some
// milliseconds at most, also if those are made for it, by its handler.

const (
	// turnsPerCore is how many calls have their turn at a time, for each core. With fewer of them, the kernel changes
	// more often between the two ends.
	turnsPerCore = 8

	// lookAtTurns is how often it is looked whether turns are quick, while many calls have theirs. The kernel lets each
	// end run for some milliseconds at a time where both want the same cores.
	lookAtTurns = 5 * time.Millisecond

	// turnsPause is how long no turns are taken when they were slow. It doubles each time that they have not proved to
	// be quick before, up to maxTurnsPause.
	turnsPause    = 50 * time.Millisecond
	maxTurnsPause = 10 * time.Second
)

// turns is whose turn it is.
type turns struct {
	places chan struct{}             // has a value for each call that has its turn
	few    int                       // so many calls at a time need no turns
	phase  atomic.Pointer[turnPhase] // the present one

	ended   atomic.Int64 // how many turns have ended ever
	without atomic.Int64 // how many calls that had no turn have ended ever

	start    time.Time
	watching atomic.Bool  // look is called
	calm     atomic.Int64 // when few calls had their turn again since the last look, after start; 0 if many have
	timer    *time.Timer  // calls look; used by who has set watching

	// Used by look, which runs once at a time, and by who has it called:
	seen  turnsSeen
	pause time.Duration // the next
}

// turnPhase is a time in which calls take turns, or one in which they do not. Only the phase that follows is of the
// other kind.
type turnPhase struct {
	// If they do:
	over   chan struct{} // closed when they stop; nil if they do not
	judged turnJudge     // used by look

	// If they do not:
	began   time.Time
	without int64     // how many calls without turns had ended by then
	until   time.Time // when they take turns again
}

// turnsSeen is what there is to see at a time.
type turnsSeen struct {
	at      time.Time
	ended   int64
	without int64
}

func newTurns(cores int) *turns {
	t := &turns{places: make(chan struct{}, turnsPerCore*cores), few: 2 * cores, start: time.Now(), pause: turnsPause}
	t.phase.Store(newTurnPhase(quickTurn))
	t.timer = time.AfterFunc(time.Hour, t.look) // watch sets the time
	t.timer.Stop()
	return t
}

// newTurnPhase returns a phase in which calls take turns, each for so long on average.
func newTurnPhase(quick time.Duration) *turnPhase {
	return &turnPhase{over: make(chan struct{}), judged: turnJudge{limit: quick}}
}

// take waits until it is the caller's turn, and reports whether it is. It is not if calls take no turns now. The caller
// calls give when its call has ended. If ctx ends while the call waits, take returns its error, and there is nothing to
// give.
func (t *turns) take(ctx context.Context) (turn bool, err error) {
	phase := t.current()
	if phase.over == nil {
		return false, nil
	}
	select {
	case t.places <- struct{}{}:
		if t.many() {
			t.watch()
		}
		return true, nil
	default:
	}
	select {
	case t.places <- struct{}{}:
		return true, nil
	case <-phase.over:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// give is called when a call has ended, with what take has returned.
func (t *turns) give(turn bool) {
	if !turn {
		t.without.Add(1)
		return
	}
	t.ended.Add(1)
	<-t.places
	if t.watching.Load() && t.calm.Load() == 0 && !t.many() {
		t.calm.CompareAndSwap(0, int64(time.Since(t.start)))
	}
}

// many reports whether so many calls have their turn that it matters how quick they are.
func (t *turns) many() bool { return len(t.places) > t.few }

// now returns how many calls have their turn; 0 if calls take no turns.
func (t *turns) now() int {
	if t.phase.Load().over == nil {
		return 0
	}
	return len(t.places)
}

// current returns the present phase. It begins one with turns if it is time for that.
func (t *turns) current() *turnPhase {
	phase := t.phase.Load()
	if phase.over != nil {
		return phase
	}
	now := time.Now()
	if now.Before(phase.until) {
		return phase
	}
	rival := t.each(t.without.Load()-phase.without, now.Sub(phase.began))
	t.phase.CompareAndSwap(phase, newTurnPhase(quickEnough(rival)))
	return t.phase.Load()
}

// end ends a phase with turns.
func (t *turns) end(phase *turnPhase) {
	if phase.judged.proved {
		t.pause = turnsPause
	}
	t.phase.Store(&turnPhase{began: t.seen.at, without: t.without.Load(), until: t.seen.at.Add(t.pause)})
	close(phase.over)
	t.pause = min(2*t.pause, maxTurnsPause)
}

// each returns how long a call has its turn on average if so many end in a time.
func (t *turns) each(calls int64, in time.Duration) time.Duration {
	return in * time.Duration(cap(t.places)) / time.Duration(max(calls, 1))
}

// watch has look called as long as many calls have their turn.
func (t *turns) watch() {
	if t.watching.Load() || !t.watching.CompareAndSwap(false, true) {
		return
	}
	t.seen = t.see()
	t.timer.Reset(lookAtTurns)
}

func (t *turns) see() turnsSeen { return turnsSeen{time.Now(), t.ended.Load(), t.without.Load()} }

// look ends the phase if turns are slow. If few calls are left of a burst, what counts is how long the others took.
func (t *turns) look() {
	before := t.seen
	t.seen = t.see()
	many, in := t.many(), t.seen.at.Sub(before.at)
	if calm := t.calm.Swap(0); calm > 0 && !many {
		in = t.start.Add(time.Duration(calm)).Sub(before.at)
	}
	found := t.judge(before, in)
	if phase := t.phase.Load(); phase.over != nil && (many || found.each > slowBurst) && phase.judged.slow(found) {
		t.end(phase)
	}
	if many {
		t.timer.Reset(lookAtTurns)
		return
	}
	t.watching.Store(false)
	if t.many() { // since just now
		t.watch()
	}
}

// judge returns what has happened since the look before. Many calls had their turn for so long.
func (t *turns) judge(before turnsSeen, in time.Duration) turnLook {
	return turnLook{
		each:     t.each(t.seen.ended-before.ended, in),
		first:    t.seen.ended == 0,
		clearing: t.seen.without > before.without,
	}
}
