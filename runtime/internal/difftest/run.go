package difftest

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"
)

// idKey is the metadata by which the handler, and stats handlers, find the run of a call. It is
// left out of what is recorded.
const idKey = "difftest-run"

// Nothing has moved for so many quiet moments in a row when a step goes on that waits for that; one would
// do if everybody always had a processor.
const (
	quiet     = 2 * time.Millisecond
	fewQuiet  = 2 // after the handler's return
	manyQuiet = 10
)

// longest is what a short deadline may become where it is varied, and latest what it may where it is late.
const (
	longest = 2 * time.Second
	latest  = referencePatience / 2
)

// stopping is how long a handler may continue after its context has ended. Nothing is that slow.
const stopping = 20 * time.Second

// run is one call of a case, and what was seen of it.
type run struct {
	c        *Case
	id       string
	patience time.Duration // without any progress
	perturb  time.Duration // how long random pauses between steps may be; 0 for none

	ctx    context.Context // the client's
	cancel context.CancelFunc

	progress atomic.Int64
	pausing  atomic.Int64    // goroutines that will continue by themselves
	sent     [2]atomic.Int64 // bytes of messages that were accepted from the sending program, by direction
	read     [2]atomic.Int64 // and bytes that the receiving program has got
	told     atomic.Bool     // the client knows that the call is over
	broke    atomic.Bool     // the client has ended it by a send that was wrong

	mu       sync.Mutex
	sealed   bool // nothing more is recorded; guarded by mu, as all below
	rec      Record
	stats    [2]*callStats   // client, server
	started  bool            // the handler was called, or comes too late
	entered  chan struct{}   // closed when the handler was called
	returned chan struct{}   // closed when it has returned
	handler  context.Context // the handler's
}

var runs atomic.Int64 // for ids that no other run in this process has

// newRun returns a run of c. If late is set, its deadline is no earlier than the case's.
func newRun(c *Case, patience, perturb time.Duration, late bool) *run {
	r := &run{c: c, id: strconv.FormatInt(runs.Add(1), 10), patience: patience, perturb: perturb, entered: make(chan struct{}), returned: make(chan struct{})}
	deadline := c.Deadline
	switch {
	case deadline == 0:
		deadline = limitless
	case late: // on a busy machine, few get as far as they would on an idle one
		deadline = min(time.Duration(float64(deadline)*math.Exp2(8*rand.Float64())), latest)
	case perturb > 0 && rand.IntN(5) == 0:
		deadline = time.Duration(math.Exp2(18 * rand.Float64())) // so that many end before they begin, or while they do
	case perturb > 0:
		// How far a call gets depends on speed.
		deadline = min(time.Duration(float64(deadline)*math.Exp2(16*rand.Float64()-10)), longest)
	}
	r.ctx, r.cancel = context.WithTimeout(context.Background(), deadline)
	md := metadata.Join(c.MD, metadata.Pairs(idKey, r.id))
	r.ctx = metadata.NewOutgoingContext(r.ctx, md)
	r.rec.Timed = c.Deadline > 0
	if c.Stats {
		r.stats = [2]*callStats{{}, {}}
	}
	return r
}

// Run makes the call over a pair of ends and returns what was seen, when both have come to
// an end.
func (r *run) Run(p *Pair) *Record {
	p.runs.Store(r.id, r)
	defer p.runs.Delete(r.id)
	defer r.cancel()
	for i := range r.c.Client {
		r.rec.Client = append(r.rec.Client, &Lane{Name: "client " + strconv.Itoa(i)})
	}

	over := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(over)
	}()
	r.runClient(p)
	r.rec.Broken = r.broke.Load()
	r.rec.Ended = r.c.mayEndEarly() || r.rec.Broken || !r.told.Load()
	// Whoever is on the way gets there, so that a call which the client leaves ends in as few ways
	// as possible.
	r.settle()
	r.cancel()
	r.awaitHandler()
	close(over)
	<-watched
	r.awaitStats()
	r.runAfter()

	r.mu.Lock()
	defer r.mu.Unlock()
	r.sealed = true
	if r.c.Stats {
		r.rec.Stats = append(r.stats[0].describe("client", r), r.stats[1].describe("server", r)...)
	}
	return &r.rec
}

// watch ends a call that gets nowhere.
func (r *run) watch(over <-chan struct{}) {
	tick := time.NewTicker(r.patience / 50)
	defer tick.Stop()
	last, same := r.progress.Load(), 0
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		if now := r.progress.Load(); now != last {
			last, same = now, 0
		}
		if same++; same == 50 {
			r.stall()
			r.cancel()
			return
		}
	}
}

// window is what a sender of the direct transport may have unread before it has to wait.
const window = 4 << 20

// stall records which goroutine waits for what.
func (r *run) stall() {
	if r.ctx.Err() != nil {
		return // it is over already, and somebody does not notice
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	full, waits := true, ""
	for d, lanes := range [][]*Lane{requests: r.rec.Client, replies: r.rec.Handler} {
		for _, l := range lanes {
			if l.sending.Load() {
				unread := r.sent[d].Load() - r.read[d].Load()
				full = full && unread >= window
				waits += l.Name + " waits to send with " + strconv.FormatInt(unread, 10) + " bytes unread; "
			}
		}
	}
	if waits == "" {
		full, waits = false, "nobody waits to send; "
	}
	r.rec.Stalled, r.rec.Full = waits, full
}

// settle waits until the handler was called, unless the client knows that the call is over, and then
// until nothing moves for a while.
func (r *run) settle() {
	if !r.told.Load() {
		timeout := time.NewTimer(r.patience)
		defer timeout.Stop()
		select {
		case <-r.entered:
		case <-r.ctx.Done():
		case <-timeout.C:
		}
	}
	for still := 0; still < manyQuiet; {
		last := r.progress.Load()
		timer := time.NewTimer(quiet)
		<-timer.C
		still++
		if r.progress.Load() != last || r.pausing.Load() > 0 {
			still = 0
		}
		select {
		case <-r.returned: // what is on its way to the client arrives soon
			if still >= fewQuiet {
				return
			}
		default:
		}
	}
}

func (r *run) awaitHandler() {
	r.mu.Lock()
	started := r.started
	r.started = true
	r.mu.Unlock()
	if !started {
		return
	}
	timeout := time.NewTimer(stopping)
	defer timeout.Stop()
	select {
	case <-r.returned:
	case <-timeout.C:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sealed = true
		r.rec.Stalled, r.rec.Full = "the handler does not end with its context", false
	}
}

// moved notes that a goroutine got somewhere.
func (r *run) moved() { r.progress.Add(1) }

// between is called before each step.
func (r *run) between() {
	if r.perturb == 0 {
		return
	}
	switch rand.IntN(4) {
	case 0:
		for range rand.IntN(20) {
			runtime.Gosched()
		}
	case 1:
		r.pause(time.Duration(rand.IntN(300)) * time.Microsecond)
	case 2:
		r.pause(rand.N(r.perturb))
	}
}

// cancelStep ends the client's context because a script says so. grpc-go notices that on a goroutine of its
// own, and goes on until then; on a busy machine that takes a while.
func (r *run) cancelStep() {
	if r.perturb > 0 && rand.IntN(2) == 0 {
		time.AfterFunc(rand.N(r.perturb), r.cancel)
		return
	}
	r.cancel()
}

func (r *run) pause(d time.Duration) {
	r.pausing.Add(1)
	defer r.pausing.Add(-1)
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	r.moved()
}

// note adds to a lane, unless the run is over.
func (r *run) note(l *Lane, e Event) {
	r.moved()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sealed {
		l.Events = append(l.Events, e)
	}
}
