package direct

import (
	"bytes"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// readRequest reads the request of a client that sends one message, up to its end.
func (s *serverStream) readRequest() error {
	rd, limit := &s.conn.rd, s.in.limit
	k, n, err := s.conn.next()
	if err != nil {
		return wire.UnexpectedEOF(err)
	}
	switch {
	case k == wire.KindEnd && n == 0:
		s.request = requestEnded
		s.requestErr = status.Error(codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")
		return nil
	case k != wire.KindMessage:
		return wire.Violationf("a frame of kind %q instead of a request", k)
	case n > limit:
		s.request = requestUnread
		s.requestErr = tooLarge(n, limit)
		return nil
	}
	files := s.conn.files.take()
	if s.message, err = rd.Message(n); err != nil {
		files.close()
		return err
	}
	s.hasMessage, s.messageFiles = true, files
	if !rd.HasNext() || rd.NextIs(wire.KindRing) {
		s.message.Bytes = bytes.Clone(s.message.Bytes) // what follows overwrites the buffer
	}
	k, n, err = s.conn.next()
	switch {
	case err != nil:
		s.messageFiles.close()
		return wire.UnexpectedEOF(err)
	case k == wire.KindEnd && n == 0:
		s.request = requestEnded
	case k == wire.KindMessage:
		s.request = requestUnread
		s.requestErr = status.Error(codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC")
	default:
		s.messageFiles.close()
		return wire.Violationf("a frame of kind %q after the request", k)
	}
	return nil
}

// RecvMsg receives a message. Its error is the status of the call, unless it is io.EOF.
func (s *serverStream) RecvMsg(m any) error {
	n, err := s.receive(m)
	if err != nil {
		if err != io.EOF {
			s.fail(err)
		}
		return err
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.InPayload{RecvTime: time.Now(), Payload: m, Length: n, WireLength: n + wire.FrameHeaderLen, CompressedLength: n})
	}
	if !s.method.desc.ClientStreams && s.requestErr != nil {
		s.fail(s.requestErr)
		return s.requestErr
	}
	return nil
}

// receive returns the message's size.
func (s *serverStream) receive(m any) (int, error) {
	s.receiving.Lock()
	defer s.doneReceiving()
	switch {
	case s.over:
		return 0, s.contextError()
	case s.request == requestEnded && !s.hasMessage && s.requestErr == nil:
		return 0, io.EOF // even if the client has gone in the meantime
	case s.call.ended.Load():
		return 0, s.contextError()
	}
	p, files, err := s.next()
	defer files.close() // unless they are delivered
	if err != nil {
		return 0, err
	}
	n := p.Len()
	if err := s.conn.server.codec.unmarshal(p, m); err != nil {
		return n, err
	}
	return n, files.deliver(m)
}

// doneReceiving unlocks receiving. If a Send waits, the goroutine that receives takes frames in for it,
// and this must continue when nobody receives any more.
func (s *serverStream) doneReceiving() {
	s.receiving.Unlock()
	if s.out.waiting.Load() > 0 {
		s.takeIn()
	}
}

// takeIn takes in frames, unless another goroutine receives.
func (s *serverStream) takeIn() {
	if s.receiving.TryLock() {
		if s.request == requestOpen && s.method.desc.ClientStreams {
			s.in.startTaking()
		}
		s.receiving.Unlock()
	}
}

// tookIn is called when a frame was taken in; see inboxOwner.
func (s *serverStream) tookIn(wire.Kind) {}

// sendIsWaiting reports whether frames are to be taken in; see inboxOwner.
func (s *serverStream) sendIsWaiting() bool { return s.out.waiting.Load() > 0 }

// next returns the next message, which is valid until the following one, and its open files, which are the
// caller's. The caller holds receiving.
func (s *serverStream) next() (wire.Payload, *arrival, error) {
	if !s.method.desc.ClientStreams {
		switch {
		case s.hasMessage:
			s.hasMessage = false
			return s.message, s.messageFiles, nil
		case s.requestErr != nil:
			return wire.Payload{}, nil, s.requestErr
		default:
			return wire.Payload{}, nil, io.EOF
		}
	}
	s.batching.receives()
	if !s.in.hasMessage() {
		s.mu.Lock()
		s.out.write(false) // the receiver of an answer must not wait for the flusher too
		s.out.chargeBudget()
		s.mu.Unlock()
	}
	k, n, err := s.in.peek()
	switch {
	case err != nil:
		return wire.Payload{}, nil, s.receiveFailed(err)
	case k == wire.KindEnd && n == 0:
		s.readEnd()
		return wire.Payload{}, nil, io.EOF
	case k != wire.KindMessage:
		return wire.Payload{}, nil, s.receiveFailed(wire.Violationf("a frame of kind %q instead of a message", k))
	case n > s.in.limit:
		s.request = requestUnread
		return wire.Payload{}, s.in.takeFiles(), tooLarge(n, s.in.limit)
	}
	files := s.in.takeFiles()
	p, err := s.in.message()
	if err != nil {
		return wire.Payload{}, files, s.receiveFailed(err)
	}
	return p, files, nil
}

// readEnd reads the end frame. The caller holds receiving.
func (s *serverStream) readEnd() {
	if _, n, err := s.in.peek(); err == nil && n == 0 {
		s.in.skip()
		s.request = requestEnded
	}
}

// receiveFailed is called when no more can be read from the connection.
func (s *serverStream) receiveFailed(err error) error {
	s.request = requestUnread
	if v := wire.Violation(""); errors.As(err, &v) {
		s.violation = err
		return status.Error(codes.Internal, err.Error())
	}
	return s.contextError()
}
