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
)

// serverConn serves the calls of one connection, one after the other, on one goroutine.
type serverConn struct {
	*conn
	server *Server
	forget func() // ends the watch for a hang-up

	peerValues context.Context // of all calls: the peer, and what stats handlers have added
	values     context.Context // the same, with the client's metadata for all calls
	intro      metadata.MD
	begun      bool // stats handlers know of the connection

	mu        sync.Mutex
	call      *callContext // of the call that runs; nil between calls
	busy      bool         // from when a call begins to its end
	used      bool         // there was a call
	draining  bool
	first     *time.Timer // ends the wait for a first call; nil unless draining
	expired   bool        // the deadline of the call has come
	readEnded bool        // nothing can come any more but what is in the kernel's queue
	gone      bool        // the client has closed the connection
}

// serve serves calls until the connection ends. Most of the time it waits; so that the stack of an
// idle connection can be small, all else is in functions of its own.
func (sc *serverConn) serve(preface []byte, full bool) error {
	if err := sc.open(preface, full); err != nil {
		return err
	}
	for {
		k, n, err := sc.rd.header()
		if err != nil {
			return sc.incomplete(err)
		}
		if again, err := sc.serveFrame(k, n); err != nil || !again {
			return err
		}
	}
}

// open answers the client's preface.
func (sc *serverConn) open(preface []byte, full bool) error {
	// Not a deadline of the connection: grpc, which has accepted it, may still be about to set that.
	slow := time.AfterFunc(handshakeTimeout, func() { sc.Close() })
	defer slow.Stop()
	intro, err := answer(sc.UnixConn, &sc.rd, preface, full)
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
	sc.peerValues = hs.tagConn(peer.NewContext(context.Background(), &sc.peer),
		&stats.ConnTagInfo{RemoteAddr: sc.peer.Addr, LocalAddr: sc.peer.LocalAddr})
	sc.values = metadata.NewIncomingContext(sc.peerValues, intro)
	hs.conn(sc.peerValues, &stats.ConnBegin{})
	sc.begun = true
	return nil
}

// begin marks the connection busy. It reports whether the rest of the call can still come; if not,
// only a call that has arrived whole can be served.
func (sc *serverConn) begin(ctx *callContext) (more bool) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.busy, sc.used, sc.call = true, true, ctx
	if sc.gone {
		ctx.end()
	}
	return !sc.readEnded
}

func (sc *serverConn) end(ctx *callContext) {
	ctx.end()
	sc.rest()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.busy, sc.call = false, nil
	if sc.expired {
		sc.expired = false
		sc.SetDeadline(time.Time{})
	}
	if sc.draining {
		sc.endRead()
	}
}

// expire ends what the call that runs waits for, as its deadline has come.
func (sc *serverConn) expire(ctx *callContext) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.call == ctx {
		sc.expired = true
		sc.SetDeadline(time.Unix(0, 0))
	}
}

// incomplete is for a call of which not all came. If that is because this end has stopped reading, it
// tells the client so.
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

// drain takes no more calls, but for those whose client has sent them already: what is in the
// kernel's queue is still read, and after that comes the end. A client that writes later gets an
// error and knows that nobody has read it.
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

// firstCall is how long a connection without a call is kept open by a server that drains. Clients
// connect because they have a call to make, and it may be the last that gets in.
const firstCall = 200 * time.Millisecond

// awaitFirst gives the client time for its first call. The caller holds mu.
func (sc *serverConn) awaitFirst() {
	if sc.first != nil {
		return
	}
	sc.first = time.AfterFunc(firstCall, func() {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		if !sc.used {
			sc.endRead()
		}
	})
}

// stopWaiting is for a connection that has ended.
func (sc *serverConn) stopWaiting() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.first != nil {
		sc.first.Stop()
	}
}

func (sc *serverConn) endRead() {
	sc.readEnded = true
	sc.CloseRead()
}

// hungUp is called when the client has closed the connection.
func (sc *serverConn) hungUp() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.gone = true
	if sc.call != nil {
		sc.call.end()
	}
}

// goAway tells the client that its call was not processed.
func (sc *serverConn) goAway() {
	sc.Write(appendFrameHeader(nil, kindGoAway, 0))
	sc.discard()
}

// linger is how long a client that goes on sending after the end of its call is listened to.
const linger = 100 * time.Millisecond

// discard reads what the client has sent and nobody wants, so that it is not held up by a queue that
// is full, and does not get an error before it gets the answer: there may be a program in between
// that hangs up at the first error. A client that has the answer hangs up itself.
func (sc *serverConn) discard() {
	end := time.AfterFunc(linger, func() {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		sc.endRead()
	})
	defer end.Stop()
	io.Copy(io.Discard, sc.UnixConn)
}
