package admission

import (
	"container/list"
	"net"
	"os"
	"sync"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// stormRate is how many connections a second another user may make in the long run. As many as its share,
// and at least stormBurst, may come at once. Each costs the server about 100 us, so one user's connections
// take at most a tenth of a processor.
const (
	stormRate  = 1000
	stormBurst = 100
)

// Admission decides which connections a server takes, of all its listeners. Its methods may be called
// concurrently.
type Admission struct {
	config Config
	shares shares
	owns   func(uid int) bool // reports whether this is root or the server's own user

	handshakes handshakes
	reports    throttle // of failures to accept

	mu      sync.Mutex // guards what follows, all users, and the states of all connections
	users   map[int]*user
	pruneAt int // how many users there may be before those without connections are forgotten
	total   int
	foreign int // of users other than root and the server's own
	direct  struct{ own, foreign int }
	viewers int

	// Connections of HTTP/2, which grpc closes without notice. hand is the next one to check.
	http2     []*Conn
	hand      int
	lastSweep time.Time
}

// Config is what a server sets. Its functions may be called concurrently.
type Config struct {
	MaxConnsPerUser int // of users other than root and the server's own; 0 for the default

	// UnseenHandshakes says that Conns do not come to the handshake, because the credentials may be the
	// program's: Serve's listener returns the bare connections. Then it is not known which are half-open.
	UnseenHandshakes bool

	// Taken may take a connection that was just accepted, so that it goes through no handshake, and reports
	// whether it did. It must not block. nil takes none.
	Taken func(*Conn) bool

	TurnedAway  func(TurnedAway)             // called for each such connection
	NotAccepted func(err error, report bool) // report is set now and then, if it goes on
}

// TurnedAway is a connection that was closed because its user has its share, or because there was no
// descriptor.
type TurnedAway struct {
	UID         int  // -1 if it is unknown
	Connections int  // that the user has
	First       bool // it is the user's first for a while
}

// user is what is known of one user. Users that cannot be told apart, because they have no number in this
// user namespace, are one.
type user struct {
	uid      int
	owner    bool
	total    int
	direct   int
	halfOpen list.List // of *Conn, the oldest first

	tokens     float64 // how many connections it may make now
	refill     time.Time
	turnedAway time.Time // when it was last turned away
}

// New returns the admission of a server, with the descriptors that this process may have now.
func New(config Config) *Admission {
	own, known := os.Geteuid(), userns.UIDs()
	return newAdmission(config, sharesOf(descriptors.Limit(), config.MaxConnsPerUser), func(uid int) bool {
		// The number that stands for unmapped users can be the server's own. Then it does not identify a
		// client.
		return (uid == 0 || uid == own) && known.Maps(uid)
	})
}

func newAdmission(config Config, s shares, owns func(uid int) bool) *Admission {
	return &Admission{config: config, shares: s, owns: owns, users: map[int]*user{}, pruneAt: 1024}
}

// admit decides on a connection that uid has just made. It returns the user, which has one more from now
// on, for enter; nil if the connection is turned away. If an older connection has to make room, admit closes
// it: that one is turned away, too.
func (a *Admission) admit(uid int, now time.Time) *user {
	a.mu.Lock()
	u := a.user(uid, now)
	a.sweep(sweepFew)
	full := a.full(u)
	if full && now.Sub(a.lastSweep) > sweepPause {
		a.lastSweep = now
		a.sweep(len(a.http2))
		full = a.full(u)
	}
	oldest := u.halfOpen.Front()
	var victim *Conn
	switch {
	case !u.owner && !u.mayCome(now, a.burst()), full && oldest == nil:
		r := u.turnAway(now)
		a.mu.Unlock()
		a.config.TurnedAway(r)
		return nil
	case full, u.halfOpen.Len() >= a.halfOpenShare(u):
		victim = oldest.Value.(*Conn)
		a.move(victim, Closed)
	}
	a.count(u, 1)
	if victim == nil {
		a.mu.Unlock()
		return u
	}
	r := u.turnAway(now)
	a.mu.Unlock()
	victim.UnixConn.Close()
	a.config.TurnedAway(r)
	return u
}

// turnAway records a connection that was closed because there was no descriptor.
func (a *Admission) turnAway(uid int, now time.Time) {
	a.mu.Lock()
	r := a.user(uid, now).turnAway(now)
	a.mu.Unlock()
	a.config.TurnedAway(r)
}

// makeRoom closes the oldest half-open connection of the other user that has most of them: it is turned
// away, too. makeRoom reports false if there is none.
func (a *Admission) makeRoom(now time.Time) bool {
	a.mu.Lock()
	var most *user
	for _, u := range a.users {
		if !u.owner && u.halfOpen.Len() > 0 && (most == nil || u.halfOpen.Len() > most.halfOpen.Len()) {
			most = u
		}
	}
	if most == nil {
		a.mu.Unlock()
		return false
	}
	victim := most.halfOpen.Front().Value.(*Conn)
	a.move(victim, Closed)
	r := most.turnAway(now)
	a.mu.Unlock()
	victim.UnixConn.Close()
	a.config.TurnedAway(r)
	return true
}

// full reports whether a user gets no further connection unless it gives one up.
func (a *Admission) full(u *user) bool {
	if u.owner {
		return a.total >= a.shares.all
	}
	return u.total >= a.shares.each || u.total >= a.shares.others-a.foreign
}

// halfOpenShare is how many of a user's connections may be half-open.
func (a *Admission) halfOpenShare(u *user) int {
	if u.owner {
		return max(a.shares.all/2, 1)
	}
	return max(a.shares.each/2, 1)
}

func (a *Admission) burst() float64 { return float64(max(a.shares.each, stormBurst)) }

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

func (u *user) turnAway(now time.Time) TurnedAway {
	r := TurnedAway{UID: u.uid, Connections: u.total, First: now.Sub(u.turnedAway) > reportPause}
	u.turnedAway = now
	return r
}

// user returns the record of a user. The caller holds mu.
func (a *Admission) user(uid int, now time.Time) *user {
	u := a.users[uid]
	if u != nil {
		return u
	}
	if len(a.users) >= a.pruneAt {
		for uid, u := range a.users {
			if u.total == 0 && now.Sub(u.refill) > reportPause && now.Sub(u.turnedAway) > reportPause {
				delete(a.users, uid)
			}
		}
		a.pruneAt = max(1024, 2*len(a.users))
	}
	u = &user{uid: uid, owner: a.owns(uid), tokens: a.burst(), refill: now}
	a.users[uid] = u
	return u
}

// enter records a connection that was admitted, and returns it for grpc's handshake.
func (a *Admission) enter(u *user, conn *net.UnixConn) net.Conn {
	a.handshakes.add()
	c := &Conn{UnixConn: conn, admission: a, user: u}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.config.UnseenHandshakes {
		a.accepted(c, HTTP2)
		return conn
	}
	a.accepted(c, HalfOpen)
	return c
}

// abandon is called when a connection that was admitted could not be had.
func (a *Admission) abandon(u *user) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count(u, -1)
}

// directFull reports whether a user has its share of the direct transport.
func (a *Admission) directFull(u *user) bool {
	if u.owner {
		return a.direct.own >= a.shares.direct
	}
	return u.direct >= a.shares.each/2 || a.direct.foreign >= a.shares.others/2
}

func (a *Admission) countDirect(u *user, n int) {
	u.direct += n
	if u.owner {
		a.direct.own += n
	} else {
		a.direct.foreign += n
	}
}

func (a *Admission) count(u *user, n int) {
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

	// sweepPause is how often all of them are checked when a connection would be turned away.
	sweepPause = time.Millisecond
)

// sweep checks n connections of HTTP/2, and forgets those that are closed. The caller holds mu.
func (a *Admission) sweep(n int) {
	for range min(n, len(a.http2)) {
		if a.hand >= len(a.http2) {
			a.hand = 0
		}
		c := a.http2[a.hand]
		if !isClosed(c.UnixConn) {
			a.hand++
			continue
		}
		a.move(c, Closed)
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
