package direct

import (
	"time"

	"google.golang.org/grpc/stats"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// SendMsg sends a message. As in grpc, the first error is the status of the call, whatever the
// handler returns later.
func (s *serverStream) SendMsg(m any) error {
	n, err := s.send(m)
	if err != nil {
		s.fail(err)
		return err
	}
	if hs := s.conn.server.conf.Stats; hs != nil {
		hs.rpc(s.ctx, &stats.OutPayload{Payload: m, Length: n, WireLength: n + wire.FrameHeaderLen, CompressedLength: n, SentTime: time.Now()})
	}
	return nil
}

// send returns the message's size.
func (s *serverStream) send(m any) (int, error) {
	scratch := &s.scratch
	if s.method.unary != nil {
		scratch = &s.conn.scratch // the connection's goroutine sends
	}
	files, err := s.gatherFiles(m)
	if err != nil {
		return 0, err
	}
	data, err := s.conn.server.codec.marshal(m, defaultMaxSend, (*scratch)[:0])
	if err != nil {
		files.Done()
		return 0, err
	}
	if data.Slices == nil {
		*scratch = data.Bytes
	}
	n := data.Len()
	s.mu.Lock()
	defer s.unlock()
	if s.call.ended.Load() {
		data.Free()
		files.Done()
		return 0, s.contextError()
	}
	if s.holds() {
		s.reply, s.replyFiles, s.replied = data, files, replyingHeld
		s.scratch = nil // it holds the reply
		return n, s.endHeader()
	}
	return n, s.sendPayload(data, files)
}

// holds reports whether the next message is held back until the status.
func (s *serverStream) holds() bool {
	return !s.method.desc.ServerStreams && s.replied == replyingOpen
}

// sendPayload takes ownership of data and files. The caller holds mu.
func (s *serverStream) sendPayload(data wire.Payload, files *filewalk.Files) error {
	later := s.batching.later(s.out.flusher) && files == nil
	if s.out.admit() != nil {
		data.Free()
		files.Done()
		return s.contextError()
	}
	if err := s.endHeader(); err != nil {
		data.Free()
		files.Done()
		return err
	}
	s.queueReply()
	s.out.appendMessage(data, files, 0)
	s.out.send(later)
	if s.out.refusal != nil {
		return s.out.refusal
	}
	if s.out.err != nil {
		return s.contextError()
	}
	return nil
}

// endHeader queues the header, if there is one and it was not sent yet. No more can be set. The caller
// holds mu.
func (s *serverStream) endHeader() error {
	if s.answer != answeringOpen {
		return nil
	}
	if s.header.Len() > 0 {
		return s.queueHeader()
	}
	s.answer = answeringHeader // a message implies that there is none
	s.sentHeader()
	return nil
}

// queueReply queues the reply, if it was held back. The caller holds mu.
func (s *serverStream) queueReply() {
	if s.replied == replyingHeld {
		s.out.appendMessage(s.reply, s.replyFiles, 0)
		s.reply, s.replyFiles, s.replied = wire.Payload{}, nil, replyingSent
	}
}

// taken is called when the kernel has accepted bytes; see outboxOwner.
func (s *serverStream) taken() {}

// beforeWait is called when a Send waits; see outboxOwner.
func (s *serverStream) beforeWait() { s.takeIn() }

// written is called when the last write of a call that is over has finished; see outboxOwner.
func (s *serverStream) written() {}
