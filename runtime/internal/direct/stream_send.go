package direct

import (
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (s *clientStream) SendMsg(m any) error {
	if s.sentLast {
		return s.fail(status.Error(codes.Internal, "SendMsg called after CloseSend"))
	}
	s.sentLast = !s.desc.ClientStreams
	data, err := s.client.codec.marshal(m, s.opts.maxSend, s.scratch[:0])
	if err != nil {
		return s.fail(err)
	}
	if data.slices == nil {
		s.scratch = data.b
	}
	n := data.len()
	if err := s.send(data); err != nil {
		return err
	}
	s.sentMessage(m, n)
	return nil
}

// send sends one message and takes data over. The error is io.EOF when the call is over; its status
// is for RecvMsg to tell.
func (s *clientStream) send(data payload) error {
	soon := s.desc.ClientStreams && s.pacing.soon()
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := s.out.admit() != nil && !s.resolve()
	if refused && (s.desc.ClientStreams || s.out.life != outboxOpen) {
		data.free()
		return s.sendError()
	}
	// The only message is queued all the same: the call may be sent again with it.
	s.queueCall()
	s.out.appendMessage(data)
	if !s.desc.ClientStreams {
		s.queueEnd()
	}
	s.out.send(soon)
	if s.out.err != nil && !s.resolve() {
		return s.sendError()
	}
	return nil
}

// sendError is the error of sending to a call that is over. The only message of a call has none: RecvMsg
// is next, and finds out.
func (s *clientStream) sendError() error {
	if s.desc.ClientStreams {
		return io.EOF
	}
	return nil
}

// resolve is for a connection that cannot be written to: the server has ended the call, or will not
// process it, which who receives finds out, or else resolve. It reports whether all that was queued is
// sent again. The caller holds mu, which is given up meanwhile.
func (s *clientStream) resolve() bool {
	for s.out.err != nil && s.out.life == outboxOpen && s.desc.ClientStreams && s.state.processing != processingBegun {
		changed := s.mu.change()
		s.mu.Unlock()
		if s.reading.TryLock() {
			if _, err := s.peek(); err != nil {
				s.end(s.explain(err))
				s.settle()
			}
			s.doneReading()
		} else {
			<-changed
		}
		s.mu.Lock()
	}
	return s.out.err == nil && s.out.life == outboxOpen
}

func (s *clientStream) CloseSend() error {
	if s.sentLast {
		return nil
	}
	s.sentLast = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.life == outboxOpen {
		s.queueCall()
		s.queueEnd()
		s.out.send(false) // whoever receives finds out what is wrong
	}
	return nil
}

// queueCall queues the frame that begins the call, the first time. The caller holds mu.
func (s *clientStream) queueCall() {
	if !s.state.step(eventCalled) {
		return
	}
	b := s.out.chunk(0)
	*b = s.appendCall(*b)
	s.callLen = len(*b)
	s.out.queued += s.callLen
}

// queueEnd queues the frame that says that there are no more messages. The caller holds mu.
func (s *clientStream) queueEnd() {
	if s.state.step(eventEndQueued) {
		s.out.append(endFrame)
	}
}

// taken is called when the kernel has taken bytes; see outboxOwner.
func (s *clientStream) taken() {
	s.state.step(eventTaken)
	if s.out.keeping && s.desc.ClientStreams && s.mustHaveBegun() {
		s.state.step(eventMuchTaken)
		s.out.stopKeeping()
	}
	if s.out.queued == 0 {
		s.state.step(eventEndTaken)
	}
}

// waits is called when a Send waits; see outboxOwner.
func (s *clientStream) waits() { s.takeIn() }

// written is called when the last writer of a call that is over has ended; see outboxOwner.
func (s *clientStream) written() { s.letGo() }
