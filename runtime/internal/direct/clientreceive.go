package direct

import (
	"errors"
	"io"
	"math"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func (s *clientStream) RecvMsg(m any) error {
	r := &s.recv
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over != nil {
		return r.over
	}
	if err := s.caller.Err(); err != nil {
		// What ends the call for that reason runs elsewhere, and may not have yet.
		err = status.FromContextError(err).Err()
		s.kill(err)
		s.finish(err)
		return err
	}
	err := s.receive(m)
	if err == nil && !s.desc.ServerStreams {
		// The status makes it complete.
		switch err = s.receive(m); err {
		case io.EOF:
			s.finish(io.EOF)
			return nil
		case nil:
			err = status.Error(codes.Internal, "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message")
		}
	}
	if err != nil {
		if err == ErrHTTP2 {
			s.abandon()
			return err
		}
		s.finish(err)
	}
	return err
}

// receive receives one message, or io.EOF or the status.
func (s *clientStream) receive(m any) error {
	for {
		k, n, err := s.next()
		if err != nil {
			return err
		}
		s.recv.peeked = false
		switch k {
		case kindHeader:
			if err := s.readHeader(n); err != nil {
				return s.broken(err)
			}
		case kindMessage:
			return s.readMessage(n, m)
		case kindStatus:
			return s.readStatus(n)
		default:
			return s.broken(violationf("the server sends a frame of kind %q", k))
		}
	}
}

// next returns the header of the next frame, and leaves it to be returned again. If the server has
// not processed the call, it begins the call anew. The caller holds recv.mu.
func (s *clientStream) next() (kind, int, error) {
	r := &s.recv
	if r.peeked {
		return r.kind, r.n, nil
	}
	if s.desc.ClientStreams {
		s.conn.Load().flushPending()
		s.send.pacing.received.Store(true)
	} else {
		s.flushCall()
	}
	for {
		if retried, err := s.peek(); !retried {
			return r.kind, r.n, err
		}
	}
}

// peek waits for the next frame. If there is none because the server has not processed the call, peek
// begins the call anew, and reports that. The caller holds recv.mu.
func (s *clientStream) peek() (retried bool, err error) {
	r := &s.recv
	c := s.conn.Load()
	k, n, err := c.rd.header()
	if err == nil && k != kindGoAway {
		r.peeked, r.kind, r.n = true, k, n
		s.begun.Store(true)
		return false, nil
	}
	if !s.mayRetry(c, err) {
		switch {
		case err != nil:
		case s.begun.Load():
			err = violation("the server goes away in the middle of a call")
		default:
			err = errors.New("no server has processed the call")
		}
		return false, s.broken(err)
	}
	r.tries++
	if err := s.retry(); err != nil {
		if s.desc == &unaryDesc && s.caller.Err() == nil {
			return false, ErrHTTP2
		}
		return false, s.broken(err)
	}
	return true, nil
}

// flushCall is for a caller who waits for an answer without having sent the request.
func (s *clientStream) flushCall() {
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	if !s.send.called {
		s.write(payload{}, false, s.send.ended, false)
	}
}

// abandon gives a call up of which nothing has happened but for stats handlers.
func (s *clientStream) abandon() {
	s.recv.finished = true
	s.recv.over = status.Error(codes.Unavailable, ErrHTTP2.Error())
	s.release()
	if hs := s.client.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.End{Client: true, BeginTime: s.beginTime, EndTime: time.Now(), Error: s.recv.over})
	}
}

func (s *clientStream) readMessage(n int, m any) error {
	s.headerCame(nil, frameHeaderLen)
	if n > s.opts.maxRecv {
		return tooLarge(n, s.opts.maxRecv)
	}
	p, err := s.conn.Load().rd.message(n)
	if err != nil {
		return s.broken(err)
	}
	if err := s.client.codec.unmarshal(p, m); err != nil {
		return err
	}
	s.recv.messages++
	if hs := s.client.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.InPayload{Client: true, RecvTime: time.Now(), Payload: m, Length: n, WireLength: n + frameHeaderLen, CompressedLength: n})
	}
	return nil
}

func (s *clientStream) readHeader(n int) error {
	if s.recv.answer.known {
		return violation("the server sends a header after the header")
	}
	b, err := s.conn.Load().rd.head(n)
	if err != nil {
		return err
	}
	md, err := parseMetadata(b)
	if err != nil {
		return err
	}
	s.headerCame(md, n+frameHeaderLen)
	return nil
}

// observed reports whether somebody may look at header and trailer. For most unary calls nobody can.
func (s *clientStream) observed() bool {
	return s.desc != &unaryDesc || s.opts.after != nil || s.client.conf.Stats != nil
}

// headerCame takes note of the header, which is empty if a message came without.
func (s *clientStream) headerCame(md metadata.MD, wireLength int) {
	a := &s.recv.answer
	if a.known {
		return
	}
	if s.observed() {
		if md == nil {
			md = metadata.MD{}
		}
		md["content-type"] = []string{contentType}
	}
	a.header = md
	s.setKnown()
	if hs := s.client.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.InHeader{Client: true, WireLength: wireLength, Header: md.Copy()})
	}
}

// readStatus returns io.EOF for success.
func (s *clientStream) readStatus(n int) error {
	b, err := s.conn.Load().rd.head(n)
	if err != nil {
		return s.broken(err)
	}
	h, err := parseStatus(b)
	if err != nil {
		return s.broken(err)
	}
	r := &s.recv
	r.answered, r.last = true, h.last
	if s.observed() && h.md == nil {
		h.md = metadata.MD{}
	}
	if s.observed() && r.answer.header == nil {
		// Over HTTP/2 such a trailer would have been a header as well.
		h.md["content-type"] = []string{contentType}
	}
	s.setKnown()
	r.answer.setTrailer(h.md)
	if hs := s.client.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.InTrailer{Client: true, WireLength: n + frameHeaderLen, Trailer: h.md.Copy()})
	}
	if err := h.err(); err != nil {
		return err
	}
	if !s.desc.ServerStreams && r.messages == 0 {
		return status.Error(codes.Internal, "cardinality violation: received no response message from non-server-streaming RPC")
	}
	return io.EOF
}

// err is the status as a caller gets it; nil for OK.
func (h *statusHead) err() error {
	if h.code == uint32(codes.OK) {
		return nil
	}
	if h.code > math.MaxInt32 {
		return status.Errorf(codes.Unknown, "transport: malformed grpc-status: strconv.ParseInt: parsing \"%d\": value out of range", h.code)
	}
	if details := h.md[detailsKey]; len(details) > 0 {
		p := &spb.Status{}
		if proto.Unmarshal([]byte(details[0]), p) == nil {
			return status.ErrorProto(p)
		}
	}
	return status.Error(codes.Code(h.code), h.message)
}

func (s *clientStream) Header() (metadata.MD, error) {
	a := &s.recv.answer
	if !s.recv.mu.LockUnless(a.isKnown) {
		return a.get() // found by who receives
	}
	defer s.recv.mu.Unlock()
	for !a.known && !s.recv.finished {
		k, n, err := s.next()
		switch {
		case err != nil:
			s.finish(err)
		case k == kindHeader:
			s.recv.peeked = false
			if err := s.readHeader(n); err != nil {
				s.finish(s.broken(err))
			}
		case k == kindMessage:
			s.headerCame(nil, frameHeaderLen)
		default:
			s.setKnown() // there is none
		}
	}
	return a.get()
}

func (s *clientStream) Trailer() metadata.MD {
	a := &s.recv.answer
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trailer == nil {
		return metadata.MD{}
	}
	return a.trailer
}

// setKnown says so to who waits for the header while another receives.
func (s *clientStream) setKnown() {
	a := &s.recv.answer
	a.mu.Lock()
	a.known = true
	a.mu.Unlock()
	s.recv.mu.look()
}

func (a *answers) isKnown() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known
}

func (a *answers) setTrailer(md metadata.MD) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trailer = md
}

func (a *answers) get() (metadata.MD, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.header, nil
}
