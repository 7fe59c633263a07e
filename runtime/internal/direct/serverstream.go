package direct

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// serverStream is a call in the server, and the [grpc.ServerStream] of its handler. It sends through out
// (serversend.go) and receives through in (serverreceive.go).
type serverStream struct {
	conn     *serverConn
	call     callContext
	ctx      context.Context // call, with the values of stats handlers
	fullName string
	method   *method
	progress atomic.Int32 // one of the constants below

	wireLength int // of the call frame

	// Used by the sending goroutine, of which there is one at a time, as in grpc:
	scratch  []byte // for a small message
	batching batching

	// receiving is held while receiving. Lock it before mu. It guards:
	receiving  sync.Mutex
	in         inbox
	request    request
	message    wire.Payload // the only one, of a client that sends one
	hasMessage bool         // it is there, and was not received
	requestErr error        // what was wrong with it
	over       bool         // the call is over; the connection may serve another
	violation  error        // the client's violation

	messageFiles *arrival // of message

	mu      monitor // guards what follows, and parts of in
	out     outbox
	answer  answering
	header  metadata.MD
	trailer metadata.MD
	reply   wire.Payload     // the only message of a server that sends one; it is sent with the status
	replied replying         // what happened to reply
	last    bool             // the connection ends with the call
	gone    bool             // the client was gone before the status
	events  []stats.RPCStats // for stats handlers, called when mu is unlocked

	replyFiles *filewalk.Files // of reply
}

// How far a call is. It only moves forward.
const (
	progressReading  = iota // what is needed to begin it has not all come, or was not looked at
	progressRefused         // it will not begin
	progressBegun           // it may have effects
	progressHandling        // the handler runs, or has returned; what is set once was set
)

// request is how much of what the client sends was read. It only moves forward.
type request int8

const (
	requestOpen   request = iota // more may come
	requestEnded                 // all
	requestUnread                // there is something that is not read
)

// answering is what was sent or is queued. It only moves forward.
type answering int8

const (
	answeringOpen   answering = iota // nothing; a header can be set
	answeringHeader                  // the header, or a message without one; a trailer can be set
	answeringStatus                  // the status
)

// replying is the state of the only message of a server that sends one. It only moves forward.
type replying int8

const (
	replyingOpen replying = iota // there is none yet
	replyingHeld                 // it waits for the status, because the client needs both to continue
	replyingSent                 // it is queued
)

func (s *serverStream) init(sc *serverConn) {
	s.conn = sc
	budget := sc.server.budget
	s.out.init(&s.mu, s, sc.conn, budget, sc.server.codec.pool)
	s.in = inbox{conn: sc.conn, owner: s, limit: sc.server.conf.MaxRecv, mu: &s.mu, budget: budget}
}

func (s *serverStream) Context() context.Context { return s.ctx }

// contextError is for a client that can neither send nor receive any more.
func (s *serverStream) contextError() error {
	err := s.call.Err()
	if err == nil {
		err = context.Canceled // by the client; its hang-up will be reported soon
		s.call.hungUp()
	}
	return status.FromContextError(err).Err()
}

// fail ends the call with the status of err, unless an earlier error has ended it. As in grpc, the
// handler's context ends too.
func (s *serverStream) fail(err error) { s.end(err, !s.requestEnded()) }

// end is fail, and says whether this call is the last of its connection.
func (s *serverStream) end(err error, last bool) {
	s.mu.Lock()
	defer s.unlock()
	if s.queueStatus(status.Convert(err), last) {
		s.out.send(false)
		s.sentTrailer()
	}
}

// finish sends the status, and reports whether the connection can carry another call.
func (s *serverStream) finish(st *status.Status) (again bool) {
	ended := s.requestEnded()
	s.mu.Lock()
	first := s.queueStatus(st, !ended)
	unsent, last := s.gone || s.out.flush() != nil || s.sendRefusal() != nil, s.last
	if first {
		s.sentTrailer()
	}
	s.out.close()
	s.replyFiles.Done() // which are here if the client has gone
	s.unlock()
	s.in.close()
	// The handler may have left a goroutine behind that receives.
	if !s.receiving.TryLock() {
		return false
	}
	defer s.receiving.Unlock()
	s.over = true
	if s.hasMessage {
		s.message.Free()
		s.messageFiles.close()
	}
	switch {
	case unsent:
		return false // the client has gone
	case last:
		s.conn.discard()
		return false
	}
	return true
}

// queueStatus queues what was held back, and the status, unless the client has gone. Only the first status
// is queued; queueStatus reports whether this is it. The caller holds mu.
func (s *serverStream) queueStatus(st *status.Status, last bool) bool {
	if s.answer == answeringStatus {
		return false
	}
	defer s.call.end() // the handler's context ends before the client can know of it
	s.last = last
	if s.call.gone.Load() {
		s.answer, s.gone = answeringStatus, true
		s.out.seal()
		return false
	}
	if s.answer == answeringOpen && s.header.Len() > 0 {
		if err := s.queueHeader(); err != nil {
			st, s.trailer = status.Convert(err), nil
		}
	}
	s.answer = answeringStatus
	s.queueReply()
	b := s.out.chunk(0)
	n := len(*b)
	*b = wire.AppendStatusFrame(*b, st, s.trailer, last)
	s.out.queued += len(*b) - n
	s.out.seal()
	return true
}

// sentHeader notes for stats handlers that the header is sent. The caller holds mu.
func (s *serverStream) sentHeader() {
	if s.conn.server.conf.Stats != nil {
		s.events = append(s.events, &stats.OutHeader{Header: s.header.Copy()})
	}
}

// sentTrailer notes for stats handlers that the status is sent, as far as this end knows. The caller holds mu.
func (s *serverStream) sentTrailer() {
	if s.conn.server.conf.Stats != nil {
		s.events = append(s.events, &stats.OutTrailer{Trailer: s.trailer.Copy()})
	}
}

// unlock unlocks mu, and then tells stats handlers what was noted for them.
func (s *serverStream) unlock() {
	events := s.events
	s.events = nil
	s.mu.Unlock()
	for _, e := range events {
		s.conn.server.conf.Stats.rpc(s.ctx, e)
	}
}

// requestEnded reports whether all that the client sends in this call was read, so that the next
// comes after it.
func (s *serverStream) requestEnded() bool {
	if !s.receiving.TryLock() {
		return false
	}
	defer s.receiving.Unlock()
	if s.request == requestOpen && s.in.buffered(wire.KindEnd) {
		s.readEnd()
	}
	return s.request == requestEnded
}
