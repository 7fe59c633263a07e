//go:build unix

package runtime

import (
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
)

// hall is an admission under test, with a clock that stands still. Uids below 10 are owners.
type hall struct {
	*admission
	t   *testing.T
	now time.Time
}

func newHall(t *testing.T, descriptors, perUser int) *hall {
	t.Parallel()
	return &hall{newAdmission(sharesOf(descriptors, perUser), func(uid int) bool { return uid < 10 }), t, time.Now()}
}

// come makes a connection; nil if it is turned away.
func (h *hall) come(uid int) *place {
	h.t.Helper()
	u, _ := h.admit(uid, h.now)
	if u == nil {
		return nil
	}
	conn, other, err := descriptors.Pair("client")
	if err != nil {
		h.t.Fatal(err)
	}
	other.Close()
	h.t.Cleanup(func() { conn.Close() })
	return h.enter(u, conn, false)
}

// comeOverHTTP2 makes n connections that speak HTTP/2, and returns those that get a place.
func (h *hall) comeOverHTTP2(uid, n int) (in []*place) {
	h.t.Helper()
	for range n {
		if p := h.come(uid); p != nil {
			if !h.speaksHTTP2(p) {
				h.t.Fatal("a connection that was just admitted is gone")
			}
			in = append(in, p)
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
	h := newHall(t, 128, 0)
	if n := len(h.comeOverHTTP2(1001, 500)); n != 32 {
		t.Errorf("a user has %d connections, want its share, 32", n)
	}
	if n := len(h.comeOverHTTP2(1002, 10)); n != 10 {
		t.Errorf("another gets %d of 10", n)
	}
	if n := len(h.comeOverHTTP2(0, 40)); n != 40 {
		t.Errorf("the owner gets %d of 40", n)
	}
}

// Whoever comes after others have taken what they may still finds room, and those who own the server most.
func TestUsersTogetherLeaveRoom(t *testing.T) {
	h := newHall(t, 1024, 0)
	last := 1 << 30
	for uid := 1001; uid < 1006; uid++ {
		n := len(h.comeOverHTTP2(uid, 500))
		if n == 0 || n > last {
			t.Errorf("user %d has %d connections, the one before %d", uid, n, last)
		}
		last = n
	}
	if h.foreign > h.shares.others {
		t.Errorf("users other than the owner have %d, want %d at most", h.foreign, h.shares.others)
	}
	if n := len(h.comeOverHTTP2(0, 2000)); n < 1024-512-128 || n+h.foreign != h.shares.all {
		t.Errorf("the owner has %d, the others %d", n, h.foreign)
	}
}

func TestOldestHalfOpenConnectionMakesRoom(t *testing.T) {
	h := newHall(t, 128, 8)
	var all []*place
	for range 6 {
		all = append(all, h.come(1001))
	}
	for i, p := range all {
		if gone := i < 2; isClosed(p.conn) != gone || h.speaksHTTP2(p) == gone {
			t.Errorf("of %d half-open connections, of which 4 may be, that number %d is closed: want %v", len(all), i, gone)
		}
	}
	h.comeOverHTTP2(1001, 100)
	if p := h.come(1001); p != nil {
		t.Error("a connection with calls makes room for a new one")
	}
}

// The owner's own half-open connections make room for the owner, and for nobody else.
func TestNobodyMakesRoomForAnotherUser(t *testing.T) {
	h := newHall(t, 64, 0)
	first := h.come(0)
	for range 100 {
		h.come(1001)
	}
	if isClosed(first.conn) {
		t.Error("the owner's connection made room for another user's")
	}
	for range 100 {
		h.come(0)
	}
	if !isClosed(first.conn) || h.total > h.shares.all {
		t.Errorf("there are %d connections, and the oldest is not closed", h.total)
	}
}

func TestHalfOfAShareIsForTheDirectTransport(t *testing.T) {
	h := newHall(t, 128, 8)
	var in []*place
	for i := range 8 {
		p := h.come(1001)
		want := placeDirect
		if i >= 4 {
			want = placeDeclined
		}
		if got := h.speaksDirect(p); got != want {
			t.Errorf("connection %d comes to %v, want %v", i, got, want)
		}
		if got := p.state; got == placeDeclined {
			h.leave(p)
		} else {
			in = append(in, p)
		}
	}
	if n := len(h.comeOverHTTP2(1001, 8)); n != 4 {
		t.Errorf("over HTTP/2 there is room for %d, want 4", n)
	}
	h.leave(in[0])
	h.leave(in[0])
	if got := h.speaksDirect(h.come(1001)); got != placeDirect {
		t.Errorf("where one has left, the next comes to %v", got)
	}
	if got := h.speaksDirect(h.come(0)); got != placeDirect {
		t.Errorf("the owner's comes to %v", got)
	}
}

// Nobody tells when a connection of HTTP/2 is closed.
func TestClosedConnectionsOfHTTP2GiveTheirPlaceFree(t *testing.T) {
	h := newHall(t, 128, 8)
	in := h.comeOverHTTP2(1001, 8)
	in[3].conn.Close()
	if len(h.comeOverHTTP2(1001, 1)) != 1 {
		t.Error("where one was closed there is no room")
	}
	if p := h.come(1001); p != nil {
		t.Error("there is room for two where one was closed")
	}
	for i := range 1000 {
		h.now = h.now.Add(time.Second)
		for _, p := range h.comeOverHTTP2(5, 1) {
			p.conn.Close()
		}
		if len(h.http2) > 20 {
			t.Fatalf("after %d connections %d are remembered", i, len(h.http2))
		}
	}
}

func TestStormIsTurnedAwayAndItsUserComesBack(t *testing.T) {
	h := newHall(t, 128, 0)
	storm := func(uid int) (in int) {
		for range 10 * stormRate {
			if p := h.come(uid); p != nil {
				in++
				h.leave(p)
			}
		}
		return in
	}
	if n := storm(1001); n != stormBurst {
		t.Errorf("of a storm %d get in, want %d", n, stormBurst)
	}
	if h.come(1002) == nil {
		t.Error("another user is turned away")
	}
	h.now = h.now.Add(10 * time.Millisecond)
	if n := storm(1001); n != stormRate/100 {
		t.Errorf("10 ms later %d get in, want %d", n, stormRate/100)
	}
	if n := storm(0); n != 10*stormRate {
		t.Errorf("of the owner's storm only %d get in", n)
	}
}

// An episode ends when the user was not turned away for a while.
func TestOneEpisodeIsToldOnce(t *testing.T) {
	h := newHall(t, 128, 1)
	h.comeOverHTTP2(1001, 1)
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {complaintPause, false}, {complaintPause, false}, {complaintPause + 1, true}} {
		h.now = h.now.Add(tc.after)
		u, refused := h.admit(1001, h.now)
		if u != nil || refused.episode != tc.want || refused.uid != 1001 || refused.held != 1 {
			t.Errorf("%v later comes %+v, want an episode: %v", tc.after, refused, tc.want)
		}
	}
}

func TestUsersWithoutConnectionsAreForgotten(t *testing.T) {
	h := newHall(t, 1024, 0)
	h.pruneAt = 10
	kept := h.come(1001)
	for uid := range 10000 {
		h.now = h.now.Add(time.Minute)
		h.leave(h.come(2000 + uid))
	}
	if len(h.users) > 1024 || h.users[1001] != kept.user {
		t.Errorf("%d users are remembered", len(h.users))
	}
}
