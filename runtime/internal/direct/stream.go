package direct

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// NewStream begins a call with streams. See [grpc.ClientConn.NewStream].
func (c *Client) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (grpc.ClientStream, error) {
	s := &clientStream{call: call{client: c, desc: desc, method: method}, headerKnown: make(chan struct{}), response: response{trailer: metadata.MD{}}}
	if err := s.prepare(ctx, opts); err != nil {
		return nil, s.withoutFiles(err)
	}
	conn, err := c.acquireFor(ctx, desc, nil)
	if err == nil && !conn.idle() {
		// A unary call notices this by itself, and can still go over HTTP/2. A stream cannot once the
		// caller has it.
		conn, err = c.replace(ctx, conn, nil)
	}
	if err != nil {
		if conn, err = s.acquireForFiles(err); err != nil {
			return nil, s.notBegun(err)
		}
	}
	s.begin(conn)
	return s, nil
}

// clientStream is a call with streams in the client. As with every [grpc.ClientStream], one goroutine may
// send while another receives. It sends through out (stream_send.go) and receives through in
// (stream_receive.go).
type clientStream struct {
	call
	cancel  context.CancelFunc // ends ctx
	unwatch func() bool        // ends the watch for the end of the caller's context; nil if that never ends
	abort   func()             // for Client.Close

	// Used by the sending goroutine alone:
	sentLast bool   // CloseSend was called, or the only message sent
	scratch  []byte // for a small message
	batching batching

	headerKnown chan struct{} // closed when the header is known, or that there is none

	mu       monitor // guards what follows, and parts of out and in
	state    streamState
	conn     *conn // changed with reading held as well
	out      outbox
	callLen  int // of the frame that begins the call, the first in out
	result   error
	ended    atomic.Bool // there is a result
	status   error       // the result from the server, io.EOF for success; nil until the status was received
	response response    // changed with reading held as well

	// reading is held while receiving, or while looking for another server. Lock it before mu. It guards:
	reading sync.Mutex
	in      inbox
	tries   int   // how often the call was sent again
	told    error // what RecvMsg returns from now on; nil if there is more to receive
	late    bool  // what has come last has come after the end of the caller's context
	begun   bool  // state.processing is processingBegun
	clean   bool  // the status was received, and the connection can carry another call; changed with mu held as well
	settled bool  // changed with mu held as well: stats handlers and call options know the result

	readingWaits atomic.Int32 // how many wait for the holder of reading to be done
	unsettled    atomic.Bool  // closed was called, and nobody has settled the stream since
}

// begin starts the call on conn.
func (s *clientStream) begin(c *conn) {
	s.call.begin(&c.peer)
	// Nothing may end the call before everything is in its place.
	s.reading.Lock()
	s.ctx, s.cancel = context.WithCancel(s.ctx)
	s.conn = c
	s.out.init(&s.mu, s, c, s.client.budget, s.client.codec.pool)
	s.out.keeping = true
	s.in = inbox{conn: c, owner: s, limit: s.opts.maxRecv, mu: &s.mu, budget: s.client.budget}
	s.abort = s.closed
	c.abort.Store(&s.abort)
	if s.caller.Done() != nil {
		s.unwatch = context.AfterFunc(s.caller, func() { s.fail(status.FromContextError(s.caller.Err()).Err()) })
	}
	s.unlockReading()
	if s.desc.ClientStreams {
		// The server may be the first to send. Other calls wait for their request, to be sent with it.
		s.mu.Lock()
		defer s.mu.Unlock()
		s.queueCall()
		s.out.send(false) // the next send or receive finds out what is wrong
	}
}

// fail ends the call for a reason at this end, and closes the connection, which tells the server.
func (s *clientStream) fail(err error) error {
	s.end(err)
	s.reading.Lock()
	defer s.doneReading()
	s.settle()
	return err
}

// closed is fail for Client.Close, which a stats handler may call that a receiver of this stream has called. So it does
// not wait for that receiver, which settles the stream when it is done.
func (s *clientStream) closed() {
	s.end(errClosing)
	s.unsettled.Store(true)
	s.settleClosed()
}

// settleClosed settles the stream after closed, unless somebody receives, who calls this again.
func (s *clientStream) settleClosed() {
	if s.unsettled.Load() && s.reading.TryLock() {
		s.settle()
		s.unsettled.Store(false)
		s.reading.Unlock()
	}
}

// end ends the stream with err, io.EOF for success, unless it has ended. If the connection cannot carry
// another call, end shuts it down, which wakes the reading and the writing goroutine.
func (s *clientStream) end(err error) {
	s.mu.Lock()
	if !s.state.step(eventEnded) {
		s.mu.Unlock()
		return
	}
	s.result = err
	s.ended.Store(true)
	s.out.close()
	c, clean := s.conn, s.clean
	s.mu.Unlock()
	if !clean {
		c.shutDown()
	}
}

// connError returns the error of a call whose connection no longer works. The caller holds reading.
func (s *clientStream) connError(err error) error {
	if result := s.outcome(); result != nil {
		return result
	}
	return s.call.connError(err, s.conn.generation)
}

// setHeaderKnown is called with mu held.
func (s *clientStream) setHeaderKnown() {
	select {
	case <-s.headerKnown:
	default:
		close(s.headerKnown)
	}
}

// outcome returns the result of the stream; nil if it is running.
func (s *clientStream) outcome() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result
}

// settle tells stats handlers and call options, once, that the stream has ended. The caller holds reading.
func (s *clientStream) settle() {
	if !s.ended.Load() || s.settled {
		return
	}
	err := s.outcome()
	if err == io.EOF {
		err = nil
	}
	s.receiveRest()
	s.in.end()
	unwatched := s.unwatch == nil || s.unwatch()
	clean := unwatched && s.in.allReceived()
	s.mu.Lock()
	s.settled = true
	s.setHeaderKnown() // or that there is none
	s.clean = s.clean && clean
	s.mu.Unlock()
	s.releaseConn()
	s.finish(err, &s.response, &s.conn.peer)
	s.cancel()
}

// releaseConn is called when the stream has ended and nobody writes any more. It gives the connection back
// if that can carry another call, and closes it otherwise.
func (s *clientStream) releaseConn() {
	s.mu.Lock()
	if !s.settled || s.out.writing || !s.state.step(eventReleased) {
		s.mu.Unlock()
		return
	}
	c, clean := s.conn, s.clean && s.state.send == sendingEndTaken
	s.mu.Unlock()
	c.abort.Store(nil)
	if clean {
		c.trim()
		c.rd.FreeBuffer()
		s.client.pool.put(c)
	} else {
		s.client.pool.drop(c)
	}
}

func (s *clientStream) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return peer.NewContext(s.ctx, &s.conn.peer)
}

func (s *clientStream) Trailer() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.response.trailer
}
