package ring

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// firstSpin is how long an end looks before it sleeps until it is known what waking costs here.
	firstSpin = 20 * time.Microsecond
	minSpin   = 10 * time.Microsecond
	maxSpin   = 100 * time.Microsecond

	// quantum is how long a goroutine may go on without sleeping. While a goroutine of every processor of Go does,
	// nobody looks which other sockets there is something to read from.
	quantum = time.Millisecond

	// yieldEvery is how often a spinning goroutine lets others run. It does that more often while every processor of
	// Go has one that spins. Otherwise it costs more, as it wakes a processor that has nothing to do.
	yieldEvery     = 100 * time.Microsecond
	yieldEveryFull = 10 * time.Microsecond

	// quickLooks are done without a look at the clock. A busy other end answers in that time.
	quickLooks = 16
	// looks are done between two looks at the clock.
	looks = 8

	// maxSkip is how many waits are not begun with spinning after a row of misses.
	maxSkip = 64
)

// Spinners are the goroutines of one client, or of one server, that look again and again whether there is something
// to read, or room to write, instead of sleeping. All its connections share them.
//
// As many may spin at a time as half of the cores, because the other end is on the same machine and spins, too. Each
// spins for about as long as waking costs here, which is measured. One that spins in vain does it more seldom.
type Spinners struct {
	// Crowded reports that there is so much to do that nobody is to look; nil for never. It is set before the first
	// use.
	Crowded func() bool

	cores  int
	procs  int32        // processors of Go
	limit  int32        // how many may spin at a time
	waking atomic.Int64 // what waking costs, in nanoseconds; 0 if it is not known yet
	alone  atomic.Int32 // how many spin that nobody follows

	blockers int32        // how many may wait in a futex at a time; see block
	blocking atomic.Int32 // how many do

	followers followers // and who leads them

	yields coreYields
}

// NewSpinners returns an object for the connections of one client or server. It reads how many cores the process may
// use, which takes as long as reading some files in /proc and /sys.
func NewSpinners() *Spinners {
	s := &Spinners{cores: usableCores(), procs: int32(runtime.GOMAXPROCS(0))}
	s.limit = int32(max(1, min(s.cores/2, int(s.procs))))
	s.blockers = min(s.limit, s.procs-1)
	return s
}

// Worthwhile reports whether rings are faster than the socket here. They are not where the process may use one core
// only, because of its affinity or a limit of its cgroup.
func (s *Spinners) Worthwhile() bool { return s.cores > 1 }

// Most is how many calls of a process with one Spinners gain from rings if they are made without regard to each other:
// two for each core. With more of them there is always something else to do than to look.
func (s *Spinners) Most() int { return 2 * s.cores }

// history says what spinning has done for a waiter.
type history struct {
	misses int           // in a row
	skip   int           // waits that sleep at once
	hits   int           // ever
	slept  time.Duration // when it last slept
	yield  time.Duration // when it last let others run

	blockMisses, blockSkip int // the same for block as misses and skip
}

// mayWait reports whether a goroutine may wait in another way than at the socket.
func (s *Spinners) mayWait() bool { return s.cores > 1 && (s.Crowded == nil || !s.Crowded()) }

// spin looks for a while whether w is ready, or follows another that looks. It reports whether w is ready.
func (s *Spinners) spin(w *waiter) bool {
	s.yields.waits(w)
	leads := false
	if w.history.skip > 0 {
		w.history.skip--
		if !s.followers.led.Load() {
			return false
		}
	} else {
		leads = s.followers.led.CompareAndSwap(false, true)
		if !leads && s.alone.Load() < s.limit-1 {
			s.alone.Add(1)
			defer s.alone.Add(-1)
			return s.look(w, false)
		}
	}
	if !leads {
		switch s.follow(w) {
		case goOn:
			return true
		case goToSleep:
			return false
		}
	}
	if s.look(w, true) {
		s.followers.passOn()
		return true
	}
	s.followers.disband()
	return w.ready()
}

func (s *Spinners) look(w *waiter, leads bool) bool {
	h := &w.history
	if h.hits++; h.hits%quickLooks == 0 && !s.mayGoOn(h, sinceStart()) {
		return false
	}
	var now time.Duration
	for n, until := 0, time.Duration(0); ; n++ {
		if w.ready() {
			h.misses = 0
			return true
		}
		if leads && s.followers.count.Load() > 0 {
			if now == 0 {
				now = sinceStart()
			}
			if s.followers.rouse(now) {
				w.longWait()
				runtime.Gosched()
				h.yield = sinceStart()
				until = 0
				n = quickLooks - 1
			}
		}
		pause()
		if n < quickLooks || n%looks != 0 {
			continue
		}
		now = sinceStart()
		if until == 0 {
			until = now + s.howLong()
		} else if now > until {
			break
		}
		if !s.mayGoOn(h, now) {
			return false
		}
	}
	if h.misses++; h.misses > 1 {
		h.skip = min(1<<(h.misses-2), maxSkip)
	}
	return w.ready()
}

// mayGoOn lets other goroutines, and other threads, run if it is time for that. It reports false if it is time to sleep.
func (s *Spinners) mayGoOn(h *history, now time.Duration) bool {
	busy := s.alone.Load()+1 >= s.procs
	switch {
	case now-h.slept <= quantum:
	case s.followers.count.Load() == 0:
		return false
	case busy:
		time.Sleep(rest)
		h.slept = sinceStart()
	}
	now = s.yields.yieldCore(now, s.crowd())
	every := yieldEvery
	if busy {
		every = yieldEveryFull
	}
	if now-h.yield > every {
		runtime.Gosched()
		h.yield = sinceStart()
	}
	return true
}

// crowd reports whether so many goroutines wait that the other end has something to do for all cores.
func (s *Spinners) crowd() bool { return s.followers.count.Load() >= 2*s.procs }

// howLong returns how long to look before sleeping: twice what waking costs, so that spinning in vain costs little
// more than that.
func (s *Spinners) howLong() time.Duration {
	if waking := time.Duration(s.waking.Load()); waking > 0 {
		return min(max(2*waking, minSpin), maxSpin)
	}
	return firstSpin
}

// woke records how long a doorbell took to wake a goroutine. An unusually long time counts little: the cores were
// busy.
func (s *Spinners) woke(took time.Duration) {
	if took <= 0 || took > 10*maxSpin { // or the clock was set
		return
	}
	switch known := time.Duration(s.waking.Load()); {
	case known == 0:
		s.waking.Store(int64(min(took, firstSpin)))
	case took < known:
		s.waking.Store(int64(known - (known-took)/4))
	default:
		s.waking.Store(int64(known + min(took-known, known)/16))
	}
}

// start is what sinceStart counts from; the clock that goes on evenly can be read in no other way.
var start = time.Now()

func sinceStart() time.Duration { return time.Since(start) }
