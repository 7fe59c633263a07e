package runtime

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// shares says how many of the descriptors that the process may open are for connections.
type shares struct {
	all    int // of all users together; the rest is for the program's own work
	others int // of all users together except root and the server's own
	each   int // of each of those others
	direct int // of root and the server's own over the direct transport; half of the others' share is for theirs
}

// workReserve is how many descriptors are kept at least for the program's own work, unless that is more
// than half of all.
const workReserve = 16

// sharesOf divides descriptors. Other users get half, so that root and the server's own user have more
// left than all others together can take. perUser is 0 for the default, a quarter.
func sharesOf(descriptors, perUser int) shares {
	s := shares{
		all:    descriptors - max(descriptors/8, min(workReserve, descriptors/2)),
		others: descriptors / 2,
		direct: descriptors / 4,
	}
	if perUser == 0 {
		perUser = max(descriptors/4, 1)
	}
	s.each = min(perUser, s.others)
	return s
}

// stormRate is how many connections a second another user may make in the long run. As many as its share,
// and at least stormBurst, may come at once. Each costs the server about 100 us, so one user's connections
// take at most a tenth of a processor.
const (
	stormRate  = 1000
	stormBurst = 100
)

// admission decides which connections get a place. Root and the user of the server are limited only by
// what there is. Any other user has a share, and never more than is left free for the rest of the others.
// Users that cannot be told apart, because they have no number in this user namespace, share one.
type admission struct {
	shares shares
	owns   func(uid int) bool // reports whether this is root or the server's own user

	mu      sync.Mutex
	users   map[int]*user
	pruneAt int // how many users there may be before those without connections are forgotten
	total   int
	foreign int // of other users
	direct  struct{ own, foreign int }

	// Connections of HTTP/2, which grpc closes without notice. hand is the next one to check.
	http2     []*place
	hand      int
	lastSweep time.Time
}

// user is what is known of one user.
type user struct {
	uid    int
	owner  bool
	total  int
	direct int
	half   list.List // of *place, half-open, the oldest first

	tokens  float64 // how many connections it may make now
	refill  time.Time
	refused time.Time // when it was last turned away
}

// place belongs to a connection from when it is accepted. It is nil for connections whose end is not
// reported; they count as HTTP/2.
type place struct {
	conn  *net.UnixConn
	user  *user
	state placeState
	queue *list.Element // in the user's half-open ones
}

type placeState int

const (
	placeHalfOpen placeState = iota // the client has not sent its preface yet
	placeDirect
	placeHTTP2
	placeDeclined // the client is told to use HTTP/2
	placeHandover
	placeGone // the connection is closed, or about to be
)

// refusal is a connection that gets no place.
type refusal struct {
	uid     int
	held    int  // connections that the user has
	episode bool // it is the first for a while
}

func newAdmission(s shares, owns func(uid int) bool) *admission {
	return &admission{shares: s, owns: owns, users: map[int]*user{}, pruneAt: 1024}
}

// admit decides on a connection that uid has just made. It returns the user, which has one more place from
// now on; the next call is enter. If an older connection has to make room, admit closes it and counts a
// refusal.
func (a *admission) admit(uid int, now time.Time) (*user, *refusal) {
	a.mu.Lock()
	u := a.user(uid, now)
	a.sweep(sweepFew)
	full := a.full(u)
	if full && now.Sub(a.lastSweep) > sweepPause {
		a.lastSweep = now
		a.sweep(len(a.http2))
		full = a.full(u)
	}
	oldest := u.half.Front()
	var victim *place
	switch {
	case !u.owner && !u.mayCome(now, a.burst()), full && oldest == nil:
		r := u.refuse(now)
		a.mu.Unlock()
		return nil, r
	case full, u.half.Len() >= a.halfOpenShare(u):
		victim = oldest.Value.(*place)
		a.remove(victim)
	}
	a.count(u, 1)
	var r *refusal
	if victim != nil {
		r = u.refuse(now)
	}
	a.mu.Unlock()
	if victim != nil {
		victim.conn.Close()
	}
	return u, r
}

// turnAway records a connection that was closed because there was no descriptor.
func (a *admission) turnAway(uid int) *refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	return a.user(uid, now).refuse(now)
}

// makeRoom closes the oldest half-open connection of the other user that has most of them. It reports
// false if there is none.
func (a *admission) makeRoom() bool {
	a.mu.Lock()
	var most *user
	for _, u := range a.users {
		if !u.owner && u.half.Len() > 0 && (most == nil || u.half.Len() > most.half.Len()) {
			most = u
		}
	}
	if most == nil {
		a.mu.Unlock()
		return false
	}
	victim := most.half.Front().Value.(*place)
	a.remove(victim)
	a.mu.Unlock()
	victim.conn.Close()
	return true
}

// full reports whether a user gets no further place unless it gives one up.
func (a *admission) full(u *user) bool {
	if u.owner {
		return a.total >= a.shares.all
	}
	return u.total >= a.shares.each || u.total >= a.shares.others-a.foreign
}

// halfOpenShare is how many of a user's connections may be half-open.
func (a *admission) halfOpenShare(u *user) int {
	if u.owner {
		return max(a.shares.all/2, 1)
	}
	return max(a.shares.each/2, 1)
}

func (a *admission) burst() float64 { return float64(max(a.shares.each, stormBurst)) }

// mayCome takes one of the connections that a user may make now, if there is one.
func (u *user) mayCome(now time.Time, burst float64) bool {
	u.tokens = min(burst, u.tokens+stormRate*now.Sub(u.refill).Seconds())
	u.refill = now
	if u.tokens < 1 {
		return false
	}
	u.tokens--
	return true
}

func (u *user) refuse(now time.Time) *refusal {
	r := &refusal{uid: u.uid, held: u.total, episode: now.Sub(u.refused) > complaintPause}
	u.refused = now
	return r
}

// user returns the record of a user. The caller holds mu.
func (a *admission) user(uid int, now time.Time) *user {
	u := a.users[uid]
	if u != nil {
		return u
	}
	if len(a.users) >= a.pruneAt {
		for uid, u := range a.users {
			if u.total == 0 && now.Sub(u.refill) > complaintPause && now.Sub(u.refused) > complaintPause {
				delete(a.users, uid)
			}
		}
		a.pruneAt = max(1024, 2*len(a.users))
	}
	u = &user{uid: uid, owner: a.owns(uid), tokens: a.burst(), refill: now}
	a.users[uid] = u
	return u
}

// enter gives a place to a connection that was admitted. If open is set, the connection does not count as
// half-open, because nothing reports when it is no longer.
func (a *admission) enter(u *user, conn *net.UnixConn, open bool) *place {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &place{conn: conn, user: u}
	if open {
		p.state = placeHTTP2
		a.http2 = append(a.http2, p)
	} else {
		p.queue = u.half.PushBack(p)
	}
	return p
}

// forgo is called when a connection that was admitted could not be had.
func (a *admission) forgo(u *user) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count(u, -1)
}

// speaksHTTP2 is called when a client has sent the preface of HTTP/2. It reports false if the place is
// gone.
func (a *admission) speaksHTTP2(p *place) bool {
	if p == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.speaks(p, placeHTTP2) {
		return false
	}
	a.http2 = append(a.http2, p)
	return true
}

// speaksHandover is called when a successor asks for the listener. It reports false if the place is gone.
func (a *admission) speaksHandover(p *place) bool {
	if p == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.speaks(p, placeHandover)
}

// speaksDirect is called when a client has sent the preface of the direct transport. It returns
// placeDirect, or placeDeclined if its user has its share of those, or placeGone.
func (a *admission) speaksDirect(p *place) placeState {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, direct := p.user, &a.direct.own
	full := a.direct.own >= a.shares.direct
	if !u.owner {
		direct = &a.direct.foreign
		full = u.direct >= a.shares.each/2 || a.direct.foreign >= a.shares.others/2
	}
	if full {
		a.speaks(p, placeDeclined)
	} else if a.speaks(p, placeDirect) {
		u.direct++
		*direct++
	}
	return p.state
}

// speaks ends the state of being half-open. The caller holds mu.
func (a *admission) speaks(p *place, next placeState) bool {
	if p.state != placeHalfOpen {
		return false
	}
	p.user.half.Remove(p.queue)
	p.state = next
	return true
}

// leave frees the place of a closed connection. Calling it again does nothing.
func (a *admission) leave(p *place) {
	if p == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.state != placeHTTP2 { // sweep finds those
		a.remove(p)
	}
}

// remove frees a place. The caller holds mu.
func (a *admission) remove(p *place) {
	switch p.state {
	case placeGone:
		return
	case placeHalfOpen:
		p.user.half.Remove(p.queue)
	case placeDirect:
		p.user.direct--
		if p.user.owner {
			a.direct.own--
		} else {
			a.direct.foreign--
		}
	}
	p.state = placeGone
	a.count(p.user, -1)
}

func (a *admission) count(u *user, n int) {
	u.total += n
	a.total += n
	if !u.owner {
		a.foreign += n
	}
}

const (
	// sweepFew is how many connections of HTTP/2 are checked for each new one, so that as many are
	// forgotten as are added.
	sweepFew = 4

	// sweepPause is how often all of them are checked when a connection does not get a place.
	sweepPause = time.Millisecond
)

// sweep checks n connections of HTTP/2, and frees the places of those that are closed. The caller holds
// mu.
func (a *admission) sweep(n int) {
	for range min(n, len(a.http2)) {
		if a.hand >= len(a.http2) {
			a.hand = 0
		}
		p := a.http2[a.hand]
		if !isClosed(p.conn) {
			a.hand++
			continue
		}
		a.remove(p)
		last := len(a.http2) - 1
		a.http2[a.hand], a.http2[last] = a.http2[last], nil
		a.http2 = a.http2[:last]
	}
}

// isClosed reports whether this end has closed a connection. It needs no system call.
func isClosed(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	return err != nil || raw.Control(func(uintptr) {}) != nil
}
