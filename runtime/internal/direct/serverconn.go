package direct

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// serverConn serves the calls of one connection, one after the other, on one goroutine.
type serverConn struct {
	*conn
	server *Server
	forget func() // ends the watch for a hang-up

	peerValues context.Context // of all calls: the peer, and the values of stats handlers
	values     context.Context // the same, with the client's metadata for all calls
	intro      metadata.MD
	statsBegun bool      // stats handlers have seen the connection
	takes      int       // how many open files the client takes in a message
	fileUser   *fileUser // whose open files can arrive; nil if none can

	mu        sync.Mutex
	call      *serverStream // the running call; nil between calls
	busy      bool          // true from the beginning of a call to its end
	used      bool          // there was a call
	stage     connStage
	refusing  bool // no further call begins
	draining  bool
	first     *time.Timer // ends the wait for a first call; nil unless draining
	expired   bool        // the deadline of the call has passed
	readEnded bool        // nothing more can arrive but what is in the kernel's queue
	gone      bool        // the client has closed the connection
}

// serve serves calls until the connection ends. It waits most of the time. Everything else is in functions
// of its own, so that the stack of an idle connection is small.
func (sc *serverConn) serve(preface []byte, answer wire.Answer) error {
	if err := sc.open(preface, answer); err != nil {
		return err
	}
	for {
		k, n, err := sc.next()
		if err != nil {
			return sc.incomplete(err)
		}
		if again, err := sc.serveFrame(k, n); err != nil || !again {
			return err
		}
	}
}

// open answers the client's preface.
func (sc *serverConn) open(preface []byte, answer wire.Answer) error {
	// Not a deadline of the connection: grpc, which accepted it, may still be about to set one.
	slow := time.AfterFunc(prefaceTimeout, func() { sc.Close() })
	defer slow.Stop()
	intro, err := serverHandshake(welcome{sc}, &sc.rd, preface, answer)
	if err != nil {
		return err
	}
	sc.mu.Lock()
	if sc.draining {
		sc.awaitFirst()
	}
	sc.mu.Unlock()
	sc.intro = intro
	hs := sc.server.conf.Stats
	sc.peerValues = hs.tagConn(peer.NewContext(sc.server.conf.Base, &sc.peer),
		&stats.ConnTagInfo{RemoteAddr: sc.peer.Addr, LocalAddr: sc.peer.LocalAddr})
	sc.values = metadata.NewIncomingContext(sc.peerValues, intro)
	hs.conn(sc.peerValues, &stats.ConnBegin{})
	sc.statsBegun = true
	return nil
}

// begin marks the connection busy. It reports whether the call may be served, and whether the rest of it can still
// arrive; if not, only a call that has arrived completely can be.
func (sc *serverConn) begin(s *serverStream) (may, more bool) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.busy, sc.used, sc.call = true, true, s
	if sc.gone {
		s.call.hungUp()
	}
	return !sc.refusing, !sc.readEnded
}

func (sc *serverConn) end(s *serverStream) {
	s.call.end()
	sc.trim()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.busy, sc.call = false, nil
	if sc.expired {
		sc.expired = false
		sc.resume()
	}
	if sc.draining {
		sc.endRead()
	}
}

// expire ends everything that the running call waits for, because its deadline has passed.
func (sc *serverConn) expire(s *serverStream) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.call == s {
		sc.expired = true
		sc.conn.expire()
	}
}

// running returns the call whose handler runs, or nil.
func (sc *serverConn) running() *serverStream {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.call == nil || sc.call.progress.Load() != progressHandling {
		return nil
	}
	return sc.call
}

// incomplete is called when a call did not arrive completely. If the reason is that this end has stopped
// reading, it tells the client so.
func (sc *serverConn) incomplete(err error) error {
	sc.mu.Lock()
	ended := sc.readEnded
	sc.mu.Unlock()
	if !ended || !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	sc.goAway()
	return nil
}

// drain accepts no more calls, except those that the client has sent already: what is in the kernel's
// queue is still read, and then comes the end. A client that writes later gets an error and knows that
// nobody has read it.
func (sc *serverConn) drain() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.draining = true
	switch {
	case sc.busy:
	case sc.used:
		sc.endRead()
	default:
		sc.awaitFirst()
	}
}

// firstCallTimeout is how long a draining server keeps a connection that has had no call. Clients connect because
// they have a call to make, and it may be the last one that is let in.
const firstCallTimeout = 200 * time.Millisecond

// awaitFirst gives the client time for its first call. The caller holds mu.
func (sc *serverConn) awaitFirst() {
	if sc.first != nil {
		return
	}
	sc.first = time.AfterFunc(firstCallTimeout, func() {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		if !sc.used {
			sc.endRead()
		}
	})
}

// stopWaiting is called when a connection has ended.
func (sc *serverConn) stopWaiting() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.first != nil {
		sc.first.Stop()
	}
}

func (sc *serverConn) endRead() {
	sc.readEnded = true
	sc.closeRead()
}

// hungUp is called when the client has closed the connection.
func (sc *serverConn) hungUp() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.gone = true
	if sc.call != nil {
		sc.call.call.hungUp()
	}
}

// goAway tells the client that its call is unprocessed.
func (sc *serverConn) goAway() {
	sc.turnAway()
	sc.discard()
}

// linger is how long the server reads from a client that keeps sending after the end of its call.
const linger = 100 * time.Millisecond

// discard reads what the client has sent and is not needed. So a full queue does not hold the client up,
// and it gets no error before the answer: a proxy in between may hang up at the first error. A client that
// has the answer hangs up itself.
func (sc *serverConn) discard() {
	end := time.AfterFunc(linger, func() {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		sc.endRead()
	})
	defer end.Stop()
	io.Copy(io.Discard, onlyReader{sc.conn})
}
