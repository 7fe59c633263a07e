package direct

import (
	"bytes"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// readRequest reads the request of a client that sends one message, up to its end.
func (s *serverStream) readRequest() error {
	rd, limit := &s.conn.rd, s.conn.server.conf.MaxRecv
	k, n, err := rd.header()
	if err != nil {
		return unexpectedEOF(err)
	}
	switch {
	case k == kindEnd && n == 0:
		s.ended = true
		s.requestErr = status.Error(codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")
		return nil
	case k != kindMessage:
		return violationf("a frame of kind %q instead of a request", k)
	case n > limit:
		s.unread = true
		s.requestErr = tooLarge(n, limit)
		return nil
	}
	if s.request, err = rd.message(n); err != nil {
		return err
	}
	s.requested = true
	if rd.w-rd.r < frameHeaderLen {
		s.request.b = bytes.Clone(s.request.b) // what follows overwrites the buffer
	}
	k, n, err = rd.header()
	switch {
	case err != nil:
		return unexpectedEOF(err)
	case k == kindEnd && n == 0:
		s.ended = true
	case k == kindMessage:
		s.unread = true
		s.requestErr = status.Error(codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC")
	default:
		return violationf("a frame of kind %q after the request", k)
	}
	return nil
}

// RecvMsg receives a message. An error, but for io.EOF, is the status of the call.
func (s *serverStream) RecvMsg(m any) error {
	n, err := s.receive(m)
	if err != nil {
		if err != io.EOF {
			s.abort(err)
		}
		return err
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.InPayload{RecvTime: time.Now(), Payload: m, Length: n, WireLength: n + frameHeaderLen, CompressedLength: n})
	}
	if !s.method.desc.ClientStreams && s.requestErr != nil {
		s.abort(s.requestErr)
		return s.requestErr
	}
	return nil
}

// receive returns the message's size.
func (s *serverStream) receive(m any) (int, error) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if s.received {
		return 0, s.contextError()
	}
	p, err := s.next()
	if err != nil {
		return 0, err
	}
	n := p.len()
	return n, s.conn.server.codec.unmarshal(p, m)
}

// next returns the next message, which is good until the one after it. The caller holds receiving.
func (s *serverStream) next() (payload, error) {
	if !s.method.desc.ClientStreams {
		switch {
		case s.requested:
			s.requested = false
			return s.request, nil
		case s.requestErr != nil:
			return payload{}, s.requestErr
		default:
			return payload{}, io.EOF
		}
	}
	if s.ended {
		return payload{}, io.EOF
	}
	s.conn.flushPending()
	s.pacing.received.Store(true)
	rd, limit := &s.conn.rd, s.conn.server.conf.MaxRecv
	k, n, err := rd.header()
	switch {
	case err != nil:
		return payload{}, s.lost(err)
	case k == kindEnd && n == 0:
		s.ended = true
		return payload{}, io.EOF
	case k != kindMessage:
		return payload{}, s.lost(violationf("a frame of kind %q instead of a message", k))
	case n > limit:
		s.unread = true
		return payload{}, tooLarge(n, limit)
	}
	b, err := rd.message(n)
	if err != nil {
		return payload{}, s.lost(err)
	}
	return b, nil
}

// lost is for a connection from which no more can be read.
func (s *serverStream) lost(err error) error {
	s.unread = true
	if v := violation(""); errors.As(err, &v) {
		s.broken = err
		return status.Error(codes.Internal, err.Error())
	}
	return s.contextError()
}
