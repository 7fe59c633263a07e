package direct

import (
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// endFrame says that there are no more messages.
var endFrame = appendFrameHeader(nil, kindEnd, 0)

func (s *clientStream) SendMsg(m any) error {
	if s.send.last {
		return s.fail(status.Error(codes.Internal, "SendMsg called after CloseSend"))
	}
	if !s.desc.ClientStreams {
		s.send.last = true
	}
	kept := s.send.keeps()
	var scratch []byte
	if !kept {
		scratch = s.send.scratch[:0]
	}
	data, err := s.client.codec.marshal(m, s.opts.maxSend, scratch)
	if err != nil {
		return s.fail(err)
	}
	n := data.len()
	if err := s.sendData(data, kept); err != nil {
		return err
	}
	if hs := s.client.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutPayload{Client: true, Payload: m, Length: n, WireLength: n + frameHeaderLen, CompressedLength: n, SentTime: time.Now()})
	}
	return nil
}

// sendData sends one message and takes data over. The error is io.EOF when the call is over; its
// status is for RecvMsg to tell.
func (s *clientStream) sendData(data payload, keep bool) error {
	soon := s.desc.ClientStreams && s.send.pacing.soon()
	s.send.mu.Lock()
	c := s.conn.Load()
	if keep {
		// What commit goes by has to be written.
		soon = soon && s.send.replaySize+data.len() <= replayLimit
		s.keep(data)
	}
	err := s.write(data, true, !s.desc.ClientStreams, soon)
	if keep && err == nil {
		s.commit()
	} else if !keep {
		if data.slices == nil {
			s.send.scratch = data.b
		}
		data.free()
	}
	s.send.mu.Unlock()
	if err == nil || !s.desc.ClientStreams {
		return nil // RecvMsg is next, and finds out
	}
	// The server has ended the call, or will not process it.
	begunAnew := func() bool { return s.conn.Load() != c }
	if !s.recv.mu.LockUnless(begunAnew) {
		return nil // by who receives, and this message went with the replay
	}
	defer s.recv.mu.Unlock()
	if !begunAnew() && !s.recv.finished && !s.recv.peeked {
		if _, err := s.peek(); err != nil {
			s.finish(err)
		}
	}
	if begunAnew() {
		return nil
	}
	return io.EOF
}

func (s *clientStream) CloseSend() error {
	if s.send.last {
		return nil
	}
	s.send.last = true
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	s.write(payload{}, false, true, false) // whoever receives finds out what is wrong
	return nil
}

// write writes what there is of the call: its beginning, if that was not written yet, a message,
// the end; or soon, together with more. The caller holds send.mu.
func (s *clientStream) write(data payload, message, end, soon bool) error {
	if s.isReleased() {
		return io.EOF
	}
	c := s.conn.Load()
	c.pendingMu.Lock()
	if !s.send.called {
		s.send.called = true
		c.pending = s.appendCall(c.pending)
	}
	var after []byte
	if end {
		after = endFrame
		s.send.ended = true
	}
	if message {
		if err := c.appendMessage(data, after); err != nil {
			c.pendingMu.Unlock()
			return err
		}
	} else {
		c.pending = append(c.pending, after...)
	}
	flush := c.flushNow
	if soon {
		flush = c.flushSoon
	}
	err := flush()
	s.send.endSent = end && err == nil
	return err
}

func (s *clientStream) appendCall(b []byte) []byte {
	timeout := time.Duration(0)
	if deadline, ok := s.caller.Deadline(); ok {
		timeout = max(time.Until(deadline), 1)
	}
	b, start := openFrame(b, kindCall)
	b = appendCall(b, timeout, s.method, s.md)
	closeFrame(b, start)
	return b
}
