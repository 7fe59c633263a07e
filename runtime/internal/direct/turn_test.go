package direct

import (
	"sync/atomic"
	"testing"
)

func TestTurnIsTakenWhenItIsGivenUp(t *testing.T) {
	var turn turn
	turn.Lock()
	looked, locked := make(chan struct{}, 1), make(chan bool)
	go func() {
		locked <- turn.LockUnless(func() bool {
			looked <- struct{}{}
			return false
		})
	}()
	await(t, "the first look", looked)
	turn.Unlock()
	if !await(t, "the turn", locked) {
		t.Error("the turn was given up and not taken")
	}
	if turn.TryLock() {
		t.Error("two have the turn")
	}
	turn.Unlock()
	if !turn.LockUnless(func() bool { return true }) {
		t.Error("a turn that nobody has was not taken")
	}
}

func TestTurnIsNotTakenOnceItIsNeedless(t *testing.T) {
	var turn turn
	turn.Lock()
	defer turn.Unlock()
	var needless atomic.Bool
	looked, locked := make(chan struct{}, 1), make(chan bool)
	go func() {
		locked <- turn.LockUnless(func() bool {
			defer func() { looked <- struct{}{} }()
			return needless.Load()
		})
	}()
	await(t, "the first look", looked)
	needless.Store(true)
	turn.look()
	if await(t, "the second look", locked) {
		t.Error("a turn was taken that somebody else has")
	}
}
