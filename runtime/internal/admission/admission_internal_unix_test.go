//go:build unix

package admission

import (
	"net"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
)

// rig is an admission under test, with a clock that stands still. Uids below 10 are owners.
type rig struct {
	*Admission
	t          *testing.T
	now        time.Time
	turnedAway []TurnedAway
}

func newRig(t *testing.T, descriptors, perUser int) *rig {
	t.Parallel()
	r := &rig{t: t, now: time.Now()}
	r.Admission = newAdmission(
		Config{TurnedAway: func(t TurnedAway) { r.turnedAway = append(r.turnedAway, t) }},
		sharesOf(descriptors, perUser), func(uid int) bool { return uid < 10 })
	return r
}

// connect makes a connection; nil if it is turned away.
func (r *rig) connect(uid int) *Conn {
	r.t.Helper()
	u := r.admit(uid, r.now)
	if u == nil {
		return nil
	}
	conn, other, err := descriptors.Pair("client")
	if err != nil {
		r.t.Fatal(err)
	}
	other.Close()
	r.t.Cleanup(func() { conn.Close() })
	c, ok := ConnOf(r.enter(u, conn))
	if !ok || c.admission != r.Admission {
		r.t.Fatal("a connection that was admitted is no Conn of the admission")
	}
	return c
}

// connectHTTP2 makes n connections that speak HTTP/2, and returns those that are admitted.
func (r *rig) connectHTTP2(uid, n int) (in []*Conn) {
	r.t.Helper()
	for range n {
		if c := r.connect(uid); c != nil {
			if got := c.Begin(HTTP2); got != HTTP2 {
				r.t.Fatalf("a connection that was just admitted comes to %v", got)
			}
			in = append(in, c)
		}
	}
	return in
}

func TestSharesAreOfTheDescriptors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		descriptors, perUser int
		want                 shares
	}{
		{1024, 0, shares{all: 896, others: 512, each: 256, direct: 256}},
		{1024, 10, shares{all: 896, others: 512, each: 10, direct: 256}},
		{1024, 100000, shares{all: 896, others: 512, each: 512, direct: 256}},
		{64, 0, shares{all: 48, others: 32, each: 16, direct: 16}},
		{8, 0, shares{all: 4, others: 4, each: 2, direct: 2}},
		{1 << 19, 0, shares{all: 458752, others: 262144, each: 131072, direct: 131072}},
	} {
		if got := sharesOf(tc.descriptors, tc.perUser); got != tc.want {
			t.Errorf("of %d, with %d for each user: %+v, want %+v", tc.descriptors, tc.perUser, got, tc.want)
		}
	}
}

func TestOneUserHasItsShareAndOthersTheirs(t *testing.T) {
	r := newRig(t, 128, 0)
	if n := len(r.connectHTTP2(1001, 500)); n != 32 {
		t.Errorf("a user has %d connections, want its share, 32", n)
	}
	if n := len(r.connectHTTP2(1002, 10)); n != 10 {
		t.Errorf("another gets %d of 10", n)
	}
	if n := len(r.connectHTTP2(0, 40)); n != 40 {
		t.Errorf("the owner gets %d of 40", n)
	}
}

// Whoever comes after others have taken what they may still finds room, and those who own the server most.
func TestUsersTogetherLeaveRoom(t *testing.T) {
	r := newRig(t, 1024, 0)
	last := 1 << 30
	for uid := 1001; uid < 1006; uid++ {
		n := len(r.connectHTTP2(uid, 500))
		if n == 0 || n > last {
			t.Errorf("user %d has %d connections, the one before %d", uid, n, last)
		}
		last = n
	}
	if r.foreign > r.shares.others {
		t.Errorf("users other than the owner have %d, want %d at most", r.foreign, r.shares.others)
	}
	if n := len(r.connectHTTP2(0, 2000)); n < 1024-512-128 || n+r.foreign != r.shares.all {
		t.Errorf("the owner has %d, the others %d", n, r.foreign)
	}
}

func TestOldestHalfOpenConnectionMakesRoom(t *testing.T) {
	r := newRig(t, 128, 8)
	var all []*Conn
	for range 6 {
		all = append(all, r.connect(1001))
	}
	for i, c := range all {
		if gone := i < 2; isClosed(c.UnixConn) != gone || (c.Begin(HTTP2) == Closed) != gone {
			t.Errorf("of %d half-open connections, of which 4 may be, that number %d is closed: want %v", len(all), i, gone)
		}
	}
	r.connectHTTP2(1001, 100)
	if c := r.connect(1001); c != nil {
		t.Error("a connection with calls makes room for a new one")
	}
}

// The owner's own half-open connections make room for the owner, and for nobody else.
func TestNobodyMakesRoomForAnotherUser(t *testing.T) {
	r := newRig(t, 64, 0)
	first := r.connect(0)
	for range 100 {
		r.connect(1001)
	}
	if isClosed(first.UnixConn) {
		t.Error("the owner's connection made room for another user's")
	}
	for range 100 {
		r.connect(0)
	}
	if !isClosed(first.UnixConn) || r.total > r.shares.all {
		t.Errorf("there are %d connections, and the oldest is not closed", r.total)
	}
}

// The process has no descriptor left, and the owner's connections need one.
func TestUserWithMostHalfOpenConnectionsMakesRoomAndIsReported(t *testing.T) {
	r := newRig(t, 128, 0)
	r.connect(1001)
	oldest := r.connect(1002)
	r.connect(1002)
	r.connect(0)
	if !r.makeRoom(r.now) || !isClosed(oldest.UnixConn) {
		t.Fatal("the oldest connection of the user with most of them is open")
	}
	if want := (TurnedAway{UID: 1002, Connections: 1, First: true}); len(r.turnedAway) != 1 || r.turnedAway[0] != want {
		t.Errorf("reported is %+v, want %+v", r.turnedAway, want)
	}
	r.makeRoom(r.now)
	r.makeRoom(r.now)
	if r.makeRoom(r.now) {
		t.Error("the owner's connection makes room")
	}
}

func TestHalfOfAShareIsForTheDirectTransport(t *testing.T) {
	r := newRig(t, 128, 8)
	var in []*Conn
	for i := range 8 {
		c := r.connect(1001)
		want := Direct
		if i >= 4 {
			want = Declined
		}
		if got := c.Begin(Direct); got != want {
			t.Errorf("connection %d comes to %v, want %v", i, got, want)
		}
		if c.state == Declined {
			c.Close()
		} else {
			in = append(in, c)
		}
	}
	if n := len(r.connectHTTP2(1001, 8)); n != 4 {
		t.Errorf("over HTTP/2 there is room for %d, want 4", n)
	}
	in[0].Close()
	in[0].Close()
	if got := r.connect(1001).Begin(Direct); got != Direct {
		t.Errorf("where one has left, the next comes to %v", got)
	}
	if got := r.connect(0).Begin(Direct); got != Direct {
		t.Errorf("the owner's comes to %v", got)
	}
}

// Nobody tells when a connection of HTTP/2 is closed.
func TestClosedConnectionsOfHTTP2GiveTheirPlaceFree(t *testing.T) {
	r := newRig(t, 128, 8)
	in := r.connectHTTP2(1001, 8)
	in[3].UnixConn.Close()
	if len(r.connectHTTP2(1001, 1)) != 1 {
		t.Error("where one was closed there is no room")
	}
	if c := r.connect(1001); c != nil {
		t.Error("there is room for two where one was closed")
	}
	for i := range 1000 {
		r.now = r.now.Add(time.Second)
		for _, c := range r.connectHTTP2(5, 1) {
			c.UnixConn.Close()
		}
		if len(r.http2) > 20 {
			t.Fatalf("after %d connections %d are remembered", i, len(r.http2))
		}
	}
}

func TestStormIsTurnedAwayAndItsUserComesBack(t *testing.T) {
	r := newRig(t, 128, 0)
	storm := func(uid int) (in int) {
		for range 10 * stormRate {
			if c := r.connect(uid); c != nil {
				in++
				c.Close()
			}
		}
		return in
	}
	if n := storm(1001); n != stormBurst {
		t.Errorf("of a storm %d get in, want %d", n, stormBurst)
	}
	if r.connect(1002) == nil {
		t.Error("another user is turned away")
	}
	r.now = r.now.Add(10 * time.Millisecond)
	if n := storm(1001); n != stormRate/100 {
		t.Errorf("10 ms later %d get in, want %d", n, stormRate/100)
	}
	if n := storm(0); n != 10*stormRate {
		t.Errorf("of the owner's storm only %d get in", n)
	}
}

// A user that was not turned away for a while is reported again.
func TestConnectionsTurnedAwayInARowAreOfOneReport(t *testing.T) {
	r := newRig(t, 128, 1)
	r.connectHTTP2(1001, 1)
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {reportPause, false}, {reportPause, false}, {reportPause + 1, true}} {
		r.now, r.turnedAway = r.now.Add(tc.after), nil
		c := r.connect(1001)
		if want := (TurnedAway{UID: 1001, Connections: 1, First: tc.want}); c != nil || len(r.turnedAway) != 1 || r.turnedAway[0] != want {
			t.Errorf("%v later comes %+v, want %+v", tc.after, r.turnedAway, want)
		}
	}
}

func TestUsersWithoutConnectionsAreForgotten(t *testing.T) {
	r := newRig(t, 1024, 0)
	r.pruneAt = 10
	kept := r.connect(1001)
	for uid := range 10000 {
		r.now = r.now.Add(time.Minute)
		r.connect(2000 + uid).Close()
	}
	if len(r.users) > 1024 || r.users[1001] != kept.user {
		t.Errorf("%d users are remembered", len(r.users))
	}
}

// Each way out of HalfOpen counts, and each connection that is closed gives back what it took.
func TestConnectionTakesItsShareFromAcceptToClose(t *testing.T) {
	r := newRig(t, 128, 0)
	open := map[State]Open{HTTP2: {HTTP2: 1}, Direct: {Direct: 1}, Viewer: {Viewers: 1}, Handover: {}}
	for next, want := range open {
		for _, uid := range []int{0, 1001} {
			c := r.connect(uid)
			if r.total != 1 || c.user.halfOpen.Len() != 1 || r.Open() != (Open{HalfOpen: 1}) {
				t.Errorf("of one connection %d are counted, and %d are half-open", r.total, c.user.halfOpen.Len())
			}
			if got := c.Begin(next); got != next || c.user.halfOpen.Len() != 0 {
				t.Errorf("to begin %v comes to %v, and %d are half-open", next, got, c.user.halfOpen.Len())
			}
			if got := r.Open(); got != want {
				t.Errorf("in %v there are %+v", next, got)
			}
			if again := c.Begin(Direct); again != next {
				t.Errorf("a connection in %v comes to %v", next, again)
			}
			if direct := r.direct.own + r.direct.foreign; (direct == 1) != (next == Direct) {
				t.Errorf("in %v there are %d of the direct transport", next, direct)
			}
			c.Close()
			c.Close()
			if got := r.Open(); got != (Open{}) {
				t.Errorf("after the end of one in %v there are %+v", next, got)
			}
			if got := c.Begin(HTTP2); got != Closed || r.total != 0 || r.foreign != 0 || c.user.total != 0 || r.direct.own+r.direct.foreign+c.user.direct != 0 {
				t.Errorf("a connection that was in %v and closed is in %v, and %d are counted", next, got, r.total)
			}
		}
	}
	if r.sweep(100); len(r.http2) > 0 {
		t.Errorf("%d closed connections of HTTP/2 are remembered", len(r.http2))
	}
}

// A connection that does not come from the listener is in the state that it begins.
func TestConnOfAnotherListenerIsNotRecorded(t *testing.T) {
	t.Parallel()
	conn, other, err := descriptors.Pair("client")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c, ok := ConnOf(conn)
	if !ok || c.UnixConn != conn || c.Begin(Direct) != Direct {
		t.Fatalf("it is %+v, %v", c, ok)
	}
	c.HandshakeDone()
	if err := c.Close(); err != nil || !isClosed(conn) {
		t.Errorf("Close returned %v", err)
	}
	if c, ok := ConnOf(&net.TCPConn{}); ok {
		t.Errorf("a TCP connection is %+v", c)
	}
}
