package direct

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
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

// Rings save what it costs to wake a process, by looking again and again instead. That helps while there is nothing
// better to do, so these are the rules:
//
//   - A process that may use one core only has none, and neither has a connection of large messages; see [earning].
//   - A client has as many connections with rings as unary calls have their turn at a time, see [turns], and its calls
//     take those first.
//   - While it has more calls without a turn than [ring.Spinners.Most] says, they take other connections, and those that
//     have rings sleep at once, as at a socket. Its server does as the client does.
//   - Streams whose messages go one way take a connection without rings: they wake nobody for each message, and the
//     kernel's queue is longer.

// ringUse is what all connections of a client or a server have in common.
type ringUse struct {
	Rings
	after    int                   // how many writes within earnWithin earn rings
	always   bool                  // even where they are slower
	spinners func() *ring.Spinners // made for the first connection that has earned rings, which takes a while
	calls    func() int            // how many calls there are now; nil in a server
	turns    *turns                // of unary calls; nil in a server

	told   atomic.Bool  // Failed was called
	absent atomic.Bool  // in a client: the server that answered last offers none
	slower atomic.Bool  // they are slower than sockets; set when spinners are made
	moved  atomic.Int64 // how many connections have moved so far
	now    atomic.Int64 // how many of them exist
}

// newRingUse returns nil if there are to be no rings. A client says how many calls it has.
func newRingUse(conf Rings, calls func() int) *ringUse {
	if !conf.On || !ring.Supported {
		return nil
	}
	always, cores := RingsAtOnce.Load(), ring.Cores()
	if cores == 1 && !always {
		return nil
	}
	u := &ringUse{Rings: conf, after: earnAfter, always: always, calls: calls}
	if always {
		u.after = 1
	}
	u.spinners = sync.OnceValue(func() *ring.Spinners {
		s := ring.NewSpinners()
		u.slower.Store(!s.Worthwhile() && !always)
		if calls != nil {
			s.Crowded = func() bool { return calls()-u.turns.now() > s.Most() && !always }
		}
		return s
	})
	if calls != nil {
		u.turns = newTurns(cores)
	}
	return u
}

// enough reports whether no more connections are to have rings.
func (u *ringUse) enough() bool {
	return u.now.Load() >= int64(u.mostRings()) && !u.always
}

// takesTurns reports whether unary calls take turns. Over sockets only, they would be slower.
func (u *ringUse) takesTurns() bool {
	return u != nil && !u.absent.Load() && !u.told.Load() && !u.slower.Load()
}

// mostRings returns how many connections may have rings.
func (u *ringUse) mostRings() int {
	if u.turns == nil {
		return maxRings
	}
	return cap(u.turns.places)
}

// most returns how many calls that do not take turns may have rings.
func (u *ringUse) most() int { return u.spinners().Most() }

// oneWay reports whether the messages of a call go one way, so that it is better made without rings.
func (u *ringUse) oneWay(desc *grpc.StreamDesc) bool {
	return u != nil && !u.always && desc.ClientStreams != desc.ServerStreams
}

// acquireFor is acquire for a call, which may go with the preface of a new connection; nil if not.
func (c *Client) acquireFor(ctx context.Context, desc *grpc.StreamDesc, first *unary) (*conn, error) {
	if u := c.rings; u != nil && !u.always && (first == nil || !first.turn) {
		conn, wanted := c.pool.getSocket(u.oneWay(desc), u.turns.now(), u.most)
		if conn == nil && wanted && c.inVain() == nil && c.pool.reserve() {
			conn, _ = c.connect(ctx, nil, nil)
		}
		switch {
		case conn == nil:
		case conn.generation == c.generation.Load():
			return conn, nil
		default:
			c.pool.drop(conn)
		}
	}
	return c.acquireIn(ctx, false, first)
}

// worthwhile reports whether rings are faster than sockets here.
func (u *ringUse) worthwhile() bool {
	u.spinners()
	return !u.slower.Load()
}

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
	sc.mayMove.Store(true)
	return true
}

// RingsMoved returns how many connections have moved to rings.
func (s *Server) RingsMoved() int64 { return s.rings.count() }

// RingsMoved returns how many connections have moved to rings.
func (c *Client) RingsMoved() int64 { return c.rings.count() }

// RingsOpen returns how many connections have rings now.
func (s *Server) RingsOpen() int64 {
	if s.rings == nil {
		return 0
	}
	return s.rings.now.Load()
}

func (u *ringUse) count() int64 {
	if u == nil {
		return 0
	}
	return u.moved.Load()
}
