package direct

import (
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

func (s *clientStream) SendMsg(m any) error {
	if s.sentLast {
		filewalk.Discard(m)
		return s.fail(status.Error(codes.Internal, "SendMsg called after CloseSend"))
	}
	s.sentLast = !s.desc.ClientStreams
	files, err := s.gatherFiles(m)
	if err != nil {
		return s.fail(err)
	}
	data, err := s.client.codec.marshal(m, s.opts.maxSend, s.scratch[:0])
	if err != nil {
		files.Done()
		return s.fail(err)
	}
	if data.Slices == nil {
		s.scratch = data.Bytes
	}
	n := data.Len()
	if err := s.send(data, files); err != nil {
		return err
	}
	s.sentMessage(m, n)
	return nil
}

// gatherFiles returns the open files that go with a message; nil for none. They stay open until the message
// cannot be sent again.
func (s *clientStream) gatherFiles(m any) (*filewalk.Files, error) {
	files, err := filewalk.ForSending(m)
	if files == nil {
		return nil, err
	}
	s.mu.Lock()
	takes := s.conn.takesFiles
	s.mu.Unlock()
	if err = errTakesNoFiles; takes {
		err = files.Keep()
	}
	if err != nil {
		files.Done()
		return nil, err
	}
	return files, nil
}

// send sends one message and takes ownership of data and files. The error is io.EOF when the call is over;
// RecvMsg returns its status.
func (s *clientStream) send(data wire.Payload, files *filewalk.Files) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	later := s.desc.ClientStreams && s.batching.later(s.out.flusher) && files == nil
	s.awaitRead(files)
	refused := s.out.admit() != nil && !s.resolve()
	if refused && (s.desc.ClientStreams || s.out.life != outboxOpen) {
		data.Free()
		files.Done()
		return s.sendError()
	}
	// The only message is queued even so: the call may be sent again with it.
	s.queueCall()
	s.out.appendMessage(data, files, s.callLen)
	if !s.desc.ClientStreams {
		s.queueEnd()
	}
	s.out.send(later)
	if s.out.refusal != nil || s.out.err != nil && !s.resolve() {
		return s.sendError()
	}
	return nil
}

// sendError returns the error of sending to a call that is over. The only message of a call gets no error:
// RecvMsg follows, and returns it.
func (s *clientStream) sendError() error {
	if s.desc.ClientStreams {
		return io.EOF
	}
	return nil
}

// resolve is called when the connection cannot be written to: the server has ended the call, or the call
// is unprocessed. The receiving goroutine finds out which, or, if there is none, resolve does. It reports
// whether everything that was queued is sent again. The caller holds mu, which is released while waiting.
func (s *clientStream) resolve() bool {
	for s.out.err != nil && s.out.life == outboxOpen && s.desc.ClientStreams && s.state.processing != processingBegun {
		s.findOut()
	}
	return s.out.err == nil && s.out.life == outboxOpen
}

// findOut receives a frame, or waits for the goroutine that does. If the call is unprocessed, it is sent
// again then, and if it is over, the stream has ended. The caller holds mu, which is released while waiting.
func (s *clientStream) findOut() {
	s.readingWaits.Add(1)
	defer s.readingWaits.Add(-1)
	changed := s.mu.change()
	s.mu.Unlock()
	defer s.mu.Lock()
	if !s.reading.TryLock() {
		<-changed
		return
	}
	defer s.doneReading()
	if _, err := s.peek(); err != nil {
		s.end(s.explain(err))
		s.settle()
	}
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
		s.out.send(false) // the receiving goroutine finds out what is wrong
	}
	return nil
}

// queueCall queues the frame that begins the call, the first time. The caller holds mu.
func (s *clientStream) queueCall() {
	if s.state.send != sendingNew || !s.state.step(eventCalled) {
		return
	}
	b := s.out.chunk(0)
	*b = s.appendCall(*b)
	s.callLen = len(*b)
	s.out.queued += s.callLen
}

// queueEnd queues the end frame. The caller holds mu.
func (s *clientStream) queueEnd() {
	if s.state.step(eventEndQueued) {
		s.out.append(endFrame)
	}
}

// taken is called when the kernel has accepted bytes; see outboxOwner.
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

// beforeWait is called when a Send waits; see outboxOwner.
func (s *clientStream) beforeWait() { s.takeIn() }

// written is called when the last write of a call that is over has finished; see outboxOwner.
func (s *clientStream) written() { s.releaseConn() }

// refused is called when the kernel does not pass on open files; see outboxOwner.
func (s *clientStream) refused(err error) { s.end(err) }
