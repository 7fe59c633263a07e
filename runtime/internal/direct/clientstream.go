package direct

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// errClosing is grpc's, for calls of a client that was closed.
var errClosing = status.Error(codes.Canceled, "grpc: the client connection is closing")

// clientStream is a call in the client. As every [grpc.ClientStream] it may be sent to by one
// goroutine while another receives; sending is in clientsend.go, receiving in clientreceive.go.
type clientStream struct {
	client *Client
	desc   *grpc.StreamDesc
	method string
	opts   callOptions
	md     metadata.MD // from the caller

	caller    context.Context
	ctx       context.Context    // caller's, with what stats handlers have added; of a stream, ends with it
	cancel    context.CancelFunc // nil for a unary call
	unwatch   func() bool        // ends the watch for the end of the caller's context
	beginTime time.Time          // for stats handlers

	conn   atomic.Pointer[conn]  // another one after a retry
	killed atomic.Pointer[error] // why this end has closed the connection
	begun  atomic.Bool           // the server has begun the call, which is not begun anew any more

	ending   sync.Mutex // guards released, and closing the connection
	released bool       // the connection may have another call
	abort    func()     // for Client.Close; nil for a unary call, whose caller waits anyhow

	send sender
	recv receiver
}

// sender is the sending half of a call. The mutex is held while something is written.
type sender struct {
	last    bool   // the caller has sent all; this and
	scratch []byte // for a message are used by the sending goroutine alone

	mu     sync.Mutex
	called bool // the call frame was written
	ended  bool // there is nothing more to write
	// replay is what was sent, for another try should the server not process the call; until it
	// answers, or so much was sent that it must have begun.
	replay     []payload
	replaySize int
	one        [1]payload // replay's first array

	endSent bool

	pacing pacing
}

// receiver is the receiving half of a call. The mutex is held while somebody waits for the server.
type receiver struct {
	mu       turn
	peeked   bool // the header of the next frame was read
	kind     kind
	n        int
	messages int
	over     error // what RecvMsg returns from now on; io.EOF after success
	answered bool  // the status has come
	last     bool  // and the connection ends
	finished bool
	tries    int

	answer answers
}

// answers is what comes besides messages.
type answers struct {
	mu      sync.Mutex
	header  metadata.MD
	trailer metadata.MD
	known   bool // the header is, or there will be none
}

// begin starts the call on conn.
func (s *clientStream) begin(ctx context.Context, c *conn) {
	s.caller, s.ctx = ctx, ctx
	s.send.replay = s.send.one[:0]
	if hs := s.client.conf.Stats; hs != nil {
		s.beginTime = time.Now()
		s.ctx = hs.tagRPC(ctx, &stats.RPCTagInfo{FullMethodName: s.method, FailFast: s.opts.failFast})
		// A stats handler may have added what carries a trace.
		md, _ := metadata.FromOutgoingContext(s.ctx)
		s.md = sendable(md)
		hs.rpc(s.ctx, &stats.Begin{
			Client:         true,
			BeginTime:      s.beginTime,
			FailFast:       s.opts.failFast,
			IsClientStream: s.desc.ClientStreams,
			IsServerStream: s.desc.ServerStreams,
		})
		hs.rpc(s.ctx, &stats.OutHeader{
			Client:     true,
			FullMethod: s.method,
			Authority:  authority,
			RemoteAddr: c.peer.Addr,
			LocalAddr:  c.peer.LocalAddr,
			Header:     metadata.Join(s.md, metadata.MD{"user-agent": {userAgent}}),
		})
	}
	c.accepted.Store(false)
	s.conn.Store(c)
	// What may end the call from now on waits until all is in its place.
	s.recv.mu.Lock()
	if s.desc != &unaryDesc {
		s.ctx, s.cancel = context.WithCancel(s.ctx)
		s.abort = func() { s.fail(errClosing) }
		c.abort.Store(&s.abort)
	}
	if ctx.Done() != nil {
		s.unwatch = context.AfterFunc(ctx, s.callerDone)
	}
	s.recv.mu.Unlock()
	if s.desc.ClientStreams {
		// The server may be the first to speak. Other calls wait for their request, to be sent at once.
		s.send.mu.Lock()
		defer s.send.mu.Unlock()
		s.write(payload{}, false, false, false) // whoever sends or receives next finds out what is wrong
	}
}

// callerDone ends the call because the caller's context has ended.
func (s *clientStream) callerDone() {
	err := status.FromContextError(s.caller.Err()).Err()
	s.kill(err)
	if s.cancel != nil {
		s.recv.mu.Lock()
		defer s.recv.mu.Unlock()
		s.finish(err)
	}
}

// kill closes the connection, which tells the server, and whoever waits for it here.
func (s *clientStream) kill(err error) {
	s.ending.Lock()
	defer s.ending.Unlock()
	if s.released {
		return
	}
	s.killed.CompareAndSwap(nil, &err)
	s.conn.Load().Close()
}

// fail ends the call for a reason of this end.
func (s *clientStream) fail(err error) error {
	s.kill(err)
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	s.finish(err)
	return err
}

// finish is called at the end of the call, with what it came to; later calls do nothing. The
// caller holds recv.mu.
func (s *clientStream) finish(err error) {
	r := &s.recv
	if r.finished {
		return
	}
	r.finished = true
	if r.over == nil {
		r.over = err
	}
	if err == io.EOF {
		err = nil
	}
	c := s.release()
	s.setKnown()
	if hs := s.client.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.End{Client: true, BeginTime: s.beginTime, EndTime: time.Now(), Trailer: r.answer.trailer, Error: err})
	}
	if s.opts.after != nil {
		s.opts.answered(r.answer.header, r.answer.trailer, &c.peer)
		s.opts.finished(err)
	}
	if s.cancel != nil {
		s.cancel()
	}
}

// release gives the connection back, if the next call can have it.
func (s *clientStream) release() *conn {
	unwatched := s.unwatch == nil || s.unwatch()
	c := s.conn.Load()
	c.abort.Store(nil)
	clean := s.recv.answered && !s.recv.last && !s.recv.peeked && c.rd.empty()
	if !unwatched || !clean || !s.send.mu.TryLock() {
		s.client.pool.drop(c)
		return c
	}
	defer s.send.mu.Unlock()
	s.send.dropReplay()
	s.ending.Lock()
	s.released = s.send.endSent && s.killed.Load() == nil
	s.ending.Unlock()
	if s.released {
		c.rest()
		c.rd.release()
		s.client.pool.put(c)
	} else {
		s.client.pool.drop(c)
	}
	return c
}

// broken is what a call comes to whose connection does not work any more.
func (s *clientStream) broken(err error) error {
	if killed := s.killed.Load(); killed != nil {
		return *killed
	}
	if err := s.caller.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if isOver(s.caller) {
		// The server's end of the same deadline was a little quicker than the context here.
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	if s.client.pool.isClosed() {
		return errClosing
	}
	if v := violation(""); errors.As(err, &v) {
		return status.Error(codes.Internal, err.Error())
	}
	if errors.Is(err, ErrHTTP2) {
		return status.Error(codes.Unavailable, "the server has gone before the call began")
	}
	s.client.lost(s.conn.Load().generation)
	return status.Errorf(codes.Unavailable, "error reading from server: %v", err)
}

func (s *clientStream) Context() context.Context {
	return peer.NewContext(s.ctx, &s.conn.Load().peer)
}

func (s *clientStream) isReleased() bool {
	s.ending.Lock()
	defer s.ending.Unlock()
	return s.released
}
