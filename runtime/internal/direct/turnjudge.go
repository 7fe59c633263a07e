package direct

import "time"

const (
	// quickTurn is how long a call may have its turn on average until it is known how many calls end in a time without
	// turns.
	quickTurn = 200 * time.Microsecond

	// longestTurn is the most that quickEnough allows.
	longestTurn = 2 * quickTurn

	// hopelessTurn is how long turns are that will not become quick.
	hopelessTurn = 10 * longestTurn

	// slowBurst is how long turns are at least in a slow burst of calls, which is over before the next look. It is more
	// than for others, since connections may have been made for the burst.
	slowBurst = time.Millisecond

	// quickLooks looks in a row that find quick turns prove a phase. What ends it are so many looks in a row that find
	// slow or hopeless ones: those may be bad luck, as another program had the cores. It takes more of them to end a
	// phase that was proved, since a change costs something, too.
	quickLooks                         = 3
	slowLooks, slowLooksProved         = 2, 5
	hopelessLooks, hopelessLooksProved = 1, 2

	// settleLooks is how many looks may find that no call has ended yet, since connections are made, or that calls from
	// before the phase are still ending, which goes on for long if those take long.
	settleLooks = 4
)

// turnJudge judges how quick turns are in a phase.
type turnJudge struct {
	limit    time.Duration // how long one may take on average
	proved   bool          // they were quick for a while
	looks    int
	quick    int // looks in a row that have found quick ones
	notQuick int // and others
	hopeless int // and hopeless ones
}

// turnLook is what a look has found.
type turnLook struct {
	each     time.Duration // how long a call had its turn on average
	first    bool          // no call has had it yet
	clearing bool          // calls that were made before the phase are still ending
}

// quickEnough returns how long a turn may be if calls without turns ended as often as with turns of the length of
// rival. A little longer will do: those that take turns take less of the cores, and have no call that takes very
// long.
func quickEnough(rival time.Duration) time.Duration { return min(rival+rival/4, longestTurn) }

// slow reports whether the phase is to end after one more look.
func (j *turnJudge) slow(l turnLook) bool {
	j.looks++
	switch {
	case l.each <= j.limit:
		j.notQuick, j.hopeless = 0, 0
		if j.quick++; j.quick >= quickLooks {
			j.proved = true
		}
		return false
	case (l.first || l.clearing) && j.looks <= settleLooks:
		return false
	}
	j.quick = 0
	j.notQuick++
	if l.each >= hopelessTurn {
		j.hopeless++
	} else {
		j.hopeless = 0
	}
	if j.proved {
		return j.notQuick >= slowLooksProved || j.hopeless >= hopelessLooksProved
	}
	return j.notQuick >= slowLooks || j.hopeless >= hopelessLooks
}
