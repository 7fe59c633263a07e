package direct

import (
	"time"

	"google.golang.org/grpc/stats"
)

// SendMsg sends a message. As in grpc, the first error is the status of the call, whatever the
// handler returns later.
func (s *serverStream) SendMsg(m any) error {
	n, err := s.send(m)
	if err != nil {
		s.abort(err)
		return err
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutPayload{Payload: m, Length: n, WireLength: n + frameHeaderLen, CompressedLength: n, SentTime: time.Now()})
	}
	return nil
}

// send returns the message's size.
func (s *serverStream) send(m any) (int, error) {
	s.mu.Lock()
	defer s.unlock()
	var scratch []byte
	if !s.done && !s.held {
		scratch = s.conn.scratch[:0]
	}
	data, err := s.conn.server.codec.marshal(m, defaultMaxSend, scratch)
	if err != nil {
		return 0, err
	}
	if s.done {
		// The connection may serve another call by now.
		data.free()
		return 0, s.contextError()
	}
	if data.slices == nil {
		s.conn.scratch = data.b
	}
	n := data.len()
	return n, s.sendPayload(data)
}

// sendPayload takes data over. The caller holds mu.
func (s *serverStream) sendPayload(data payload) error {
	if !s.method.desc.ServerStreams && !s.replied {
		// The client needs it and the status to go on, so they go together.
		s.reply, s.held, s.replied = data, true, true
		s.conn.pendingMu.Lock()
		defer s.conn.pendingMu.Unlock()
		return s.endHeader()
	}
	defer data.free()
	soon := s.pacing.soon()
	c := s.conn.conn
	c.pendingMu.Lock()
	err := s.endHeader()
	if err == nil {
		err = s.appendHeld(nil)
	}
	if err == nil && c.appendMessage(data, nil) != nil {
		err = s.contextError()
	}
	if err != nil {
		c.pendingMu.Unlock()
		return err
	}
	flush := c.flushNow
	if soon {
		flush = c.flushSoon
	}
	if flush() != nil {
		return s.contextError()
	}
	return nil
}

// endHeader appends the header, if there is one and it was not sent; no more can be set. The caller
// holds mu and the connection's.
func (s *serverStream) endHeader() error {
	switch sent, set := s.md.state(); {
	case sent:
	case set:
		return s.appendHeader()
	default:
		s.statsHeader(s.md.sendHeader()) // a message says that there is none
	}
	return nil
}

// appendHeld appends the reply, if it was held back, and the frames after that. The caller holds
// mu and the connection's.
func (s *serverStream) appendHeld(after []byte) error {
	if !s.held {
		s.conn.pending = append(s.conn.pending, after...)
		return nil
	}
	defer s.dropReply()
	if s.conn.appendMessage(s.reply, after) != nil {
		return s.contextError()
	}
	return nil
}

func (s *serverStream) dropReply() {
	s.reply.free()
	s.held = false
}
