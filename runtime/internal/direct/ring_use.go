package direct

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// Rings configures the rings in shared memory of a client or a server. The zero value is for none.
type Rings struct {
	// On makes a client take rings, and a server offer them.
	On bool
	// For reports whether a server may offer them to a client; nil permits nobody.
	For func(client credentials.AuthInfo) bool
	// Moved is called for each connection that both ends have moved to rings, and Failed once, when they cannot be
	// had. The connections then stay on their sockets. Either may be nil.
	Moved  func(other credentials.AuthInfo)
	Failed func(error)
}

// RingsAtOnce makes every server offer rings with its first answer, on any number of cores. It is for tests of other
// packages, which have no other way to get a connection there: to earn them takes many calls in a short time. Set it before
// anything else.
var RingsAtOnce atomic.Bool

// ringUse is what all connections of a client or a server have in common.
type ringUse struct {
	Rings
	after    int                   // how many writes within earnWithin earn rings
	always   bool                  // even where they are slower
	spinners func() *ring.Spinners // made for the first connection that has earned rings, which takes a while

	told  atomic.Bool  // Failed was called
	moved atomic.Int64 // how many connections have moved so far
	now   atomic.Int64 // how many of them exist
}

// newRingUse returns nil if there are to be no rings.
func newRingUse(conf Rings) *ringUse {
	switch {
	case !conf.On || !ring.Supported:
		return nil
	case RingsAtOnce.Load():
		return &ringUse{Rings: conf, after: 1, always: true, spinners: sync.OnceValue(ring.NewSpinners)}
	}
	return &ringUse{Rings: conf, after: earnAfter, spinners: sync.OnceValue(ring.NewSpinners)}
}

// worthwhile reports whether rings are faster than sockets here.
func (u *ringUse) worthwhile() bool { return u.always || u.spinners().Worthwhile() }

// fail reports why rings cannot be had, the first time.
func (u *ringUse) fail(err error) {
	if !u.told.Swap(true) && u.Failed != nil {
		u.Failed(err)
	}
}

// prepareRings decides whether rings may be offered on a connection.
func (sc *serverConn) prepareRings(preface []byte) bool {
	u := sc.server.rings
	p, err := wire.ParsePreface(preface)
	if err != nil || !p.Rings || u == nil || u.For == nil || !u.For(sc.peer.AuthInfo) {
		return false
	}
	sc.ringUse, sc.offers, sc.earns.since = u, true, time.Now().UnixNano()
	return true
}

// RingsMoved returns how many connections have moved to rings.
func (s *Server) RingsMoved() int64 { return s.rings.count() }

// RingsMoved returns how many connections have moved to rings.
func (c *Client) RingsMoved() int64 { return c.rings.count() }

func (u *ringUse) count() int64 {
	if u == nil {
		return 0
	}
	return u.moved.Load()
}
