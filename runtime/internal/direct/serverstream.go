package direct

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// serverStream is a call in the server. It is the [grpc.ServerStream] of its handler.
type serverStream struct {
	conn     *serverConn
	call     callContext
	ctx      context.Context // call, with what stats handlers have added
	fullName string
	method   *method

	wireLength int // of the call frame

	// What the client has sent.
	receiving  sync.Mutex // held while somebody receives
	received   bool       // the call is over; the connection may serve another
	request    payload    // the only message, of a client that sends one
	requested  bool       // it is there, and was not received
	requestErr error      // what was wrong with it
	ended      bool       // the client has sent all
	unread     bool       // the client has sent what was not read
	broken     error      // what the client did against the protocol

	pacing pacing

	md      serverMetadata
	verdict atomic.Pointer[status.Status] // of an error that has ended the call; nil if there was none

	mu      sync.Mutex // guards what follows, and sending, which may wait for the client to receive
	reply   payload    // the only message, of a server that sends one; it goes with the status
	held    bool       // it is there, and was not sent
	replied bool
	done    bool // the status was sent
	unsent  bool // no, it could not be
	last    bool // with it the connection ends
}

func (s *serverStream) Context() context.Context { return s.ctx }

// contextError is for a client to whom nothing can be sent any more, and from whom nothing comes.
func (s *serverStream) contextError() error {
	err := s.call.Err()
	if err == nil {
		err = context.Canceled // by the client; the news of that is on its way
		s.call.end()
	}
	return status.FromContextError(err).Err()
}

// abort ends the call with the status of err. Whoever receives does not wait for who sends, who may
// wait for the client.
func (s *serverStream) abort(err error) {
	s.verdict.CompareAndSwap(nil, status.Convert(err))
	if s.mu.TryLock() {
		s.unlock()
	}
}

// unlock unlocks mu, and sends the status of a call that an error has ended meanwhile.
func (s *serverStream) unlock() {
	s.mu.Unlock()
	if st := s.verdict.Load(); st != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sendStatus(st)
	}
}

// sendStatus sends what was held back and the status, once. The caller holds mu.
func (s *serverStream) sendStatus(st *status.Status) {
	if s.done {
		return
	}
	if verdict := s.verdict.Load(); verdict != nil {
		st = verdict
	}
	s.done = true
	s.last = !s.requestEnded()
	s.conn.pendingMu.Lock()
	withHeader, trailer := s.md.end()
	if withHeader {
		if err := s.appendHeader(); err != nil {
			st, trailer = status.Convert(err), nil
		}
	}
	s.appendHeld(s.statusFrame(st, trailer))
	s.unsent = s.conn.flushNow() != nil
	if s.unsent {
		return // the client has gone
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutTrailer{Trailer: trailer.Copy()})
	}
}

// finish sends the status, and reports whether the connection can have another call.
func (s *serverStream) finish(st *status.Status) (again bool) {
	s.mu.Lock()
	s.sendStatus(st)
	unsent, last := s.unsent, s.last
	s.mu.Unlock()
	// A handler may have left a goroutine behind that receives.
	if !s.receiving.TryLock() {
		return false
	}
	defer s.receiving.Unlock()
	s.received = true
	if s.requested {
		s.request.free()
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

// requestEnded reports whether all that the client sends in this call was read, so that the next
// comes after it.
func (s *serverStream) requestEnded() bool {
	if !s.receiving.TryLock() {
		return false
	}
	defer s.receiving.Unlock()
	if !s.ended && !s.unread && s.conn.rd.buffered(kindEnd) {
		_, n, _ := s.conn.rd.header()
		s.ended = n == 0
	}
	return s.ended
}

const detailsKey = "grpc-status-details-bin"

func (s *serverStream) statusFrame(st *status.Status, trailer metadata.MD) []byte {
	md := sendable(trailer)
	if err := unreadable(md); err != nil {
		st, md = status.Convert(err), nil
	}
	// Not all is UTF-8 that handlers return, and status messages must be.
	h := statusHead{last: s.last, code: uint32(st.Code()), message: string([]rune(st.Message())), md: md}
	if st.Code() != codes.OK {
		if p := st.Proto(); len(p.GetDetails()) > 0 {
			if details, err := proto.Marshal(p); err == nil {
				h.md = metadata.Join(h.md, nil)
				h.md[detailsKey] = []string{string(details)}
			}
		}
	}
	if sizeOf(h.md)+len(h.message) > maxHead {
		st := status.Convert(errHeaderSize)
		h = statusHead{last: s.last, code: uint32(st.Code()), message: st.Message()}
	}
	b, start := openFrame(nil, kindStatus)
	b = h.append(b)
	closeFrame(b, start)
	return b
}
