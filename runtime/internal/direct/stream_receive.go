package direct

import (
	"io"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

func (s *clientStream) RecvMsg(m any) error {
	s.reading.Lock()
	defer s.doneReading()
	if s.told != nil {
		return s.told
	}
	if !s.ended.Load() {
		if err := s.caller.Err(); err != nil {
			// The function that ends the call for that reason may not have run yet.
			s.end(status.FromContextError(err).Err())
		}
	}
	s.settle()
	err := s.receive(m)
	if err == nil && !s.desc.ServerStreams {
		// The status makes it complete.
		switch err = s.receive(m); err {
		case io.EOF:
			s.endReceiving(err)
			return nil
		case nil:
			err = errTooManyMessages
		}
	}
	if err != nil {
		return s.endReceiving(err)
	}
	return nil
}

// endReceiving records the error that the program is told, now and from then on. It ends the stream with
// it, unless the stream has ended, and drops what may still arrive. The caller holds reading.
func (s *clientStream) endReceiving(err error) error {
	s.told = err
	s.end(err)
	s.mu.Lock()
	s.state.step(eventReceivedAll)
	s.mu.Unlock()
	s.settle()
	s.in.close()
	return err
}

// verdict returns the result that the program is told, nil if the stream is running: the server's status,
// if that arrived before the stream ended for another reason.
func (s *clientStream) verdict() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != nil {
		return s.status
	}
	return s.result
}

// doneReading unlocks reading. A waiting Send, and Header, rely on the goroutine that reads, and need
// another one when it stops.
func (s *clientStream) doneReading() {
	s.unlockReading()
	if s.out.waiting.Load() > 0 {
		s.takeIn()
	}
}

// takeIn takes in frames, unless another goroutine receives.
func (s *clientStream) takeIn() {
	if s.reading.TryLock() {
		s.in.startTaking()
		s.unlockReading()
	}
}

// unlockReading unlocks reading, and wakes those who could not lock it.
func (s *clientStream) unlockReading() {
	s.reading.Unlock()
	s.settleClosed()
	if s.readingWaits.Load() > 0 {
		s.mu.Lock()
		s.mu.broadcast()
		s.mu.Unlock()
	}
}

// tookIn is called when a frame was taken in; see inboxOwner.
func (s *clientStream) tookIn(k wire.Kind) {
	if k != wire.KindGoAway {
		s.state.step(eventAnswered)
		s.out.stopKeeping()
	}
	if k == wire.KindStatus {
		s.out.close() // the server accepts no more
	}
}

// sendIsWaiting reports whether frames are to be taken in; see inboxOwner.
func (s *clientStream) sendIsWaiting() bool {
	return s.out.waiting.Load() > 0 && s.out.life == outboxOpen
}

// receive receives one message. The error is io.EOF or the status. The caller holds reading.
func (s *clientStream) receive(m any) error {
	for {
		k, err := s.next()
		if err == nil {
			switch k {
			case wire.KindHeader:
				err = s.receiveHeader()
			case wire.KindMessage:
				if err = s.receiveMessage(m); err == nil {
					return nil
				}
			case wire.KindStatus:
				err = s.receiveStatus()
			default:
				err = unexpectedFrame(k)
			}
		}
		if err != nil {
			return s.explain(err)
		}
	}
}

// explain returns the result of the call for an error of the connection. The caller holds reading.
func (s *clientStream) explain(err error) error {
	if err == io.EOF || isStatus(err) {
		return err
	}
	return s.connError(err)
}

// next waits for the next frame, and returns its kind. The caller holds reading.
func (s *clientStream) next() (wire.Kind, error) {
	if s.settled || s.status != nil {
		return s.nextOfRest()
	}
	s.batching.receives()
	if !s.begun || !s.in.hasMessage() {
		s.mu.Lock()
		s.queueRequest()
		s.out.write(false) // the receiver of an answer must not wait for the flusher too
		s.out.chargeBudget()
		s.mu.Unlock()
	}
	for {
		if again, err := s.peek(); !again {
			return s.in.current.kind, err
		}
	}
}

// nextOfRest is next for a stream that has ended, or whose status was received: messages may have arrived
// before that.
func (s *clientStream) nextOfRest() (wire.Kind, error) {
	if s.in.active && s.in.take() {
		return s.in.current.kind, s.in.current.err
	}
	return 0, s.verdict()
}

// receiveRest takes in what arrived before a stream ended that was not read to its end. HTTP/2 reads it
// when it arrives. Header, trailer and status are known from then on. The caller holds reading.
func (s *clientStream) receiveRest() {
	if s.status != nil || s.late {
		return
	}
	s.in.takeRest()
	control, messages, cut := s.in.takeControl()
	if (messages > 0 || cut) && (len(control) == 0 || control[0].kind != wire.KindHeader) {
		s.impliedHeader()
	}
	for _, frame := range control {
		s.in.current, s.in.active = frame, true
		var err error
		switch frame.kind {
		case wire.KindHeader:
			err = s.receiveHeader()
		default:
			s.response.messages += messages
			err = s.receiveStatus()
		}
		if err != nil && err != io.EOF && !isStatus(err) {
			return // a violation, which no longer matters
		}
	}
}

// queueRequest begins the call if the program receives before it has sent its only message. The caller
// holds mu.
func (s *clientStream) queueRequest() {
	if s.out.life == outboxOpen {
		s.queueCall()
	}
}

// peek waits for the next frame. If the call is unprocessed, peek sends it again, and reports that. The
// caller holds reading.
func (s *clientStream) peek() (again bool, err error) {
	k, _, err := s.in.peek()
	if err == nil && k != wire.KindGoAway {
		if s.in.current.waited && s.caller.Err() != nil {
			s.late = true // the cancellation happened first
			s.in.takeFiles().close()
			return false, status.FromContextError(s.caller.Err()).Err()
		}
		s.setBegun()
		return false, nil
	}
	return s.sendAgain(err)
}

func (s *clientStream) setBegun() {
	if s.begun {
		return
	}
	s.begun = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.step(eventAnswered)
	s.out.stopKeeping()
	s.mu.broadcast()
}

func (s *clientStream) receiveHeader() error {
	n := s.in.current.n
	b, err := s.in.control()
	if err != nil {
		return err
	}
	md, err := wire.ParseMetadata(b)
	if err != nil {
		return err
	}
	return s.setHeader(md, n+wire.FrameHeaderLen)
}

// setHeader sets the header; nil if a message arrived without one.
func (s *clientStream) setHeader(md metadata.MD, wireLength int) error {
	s.mu.Lock()
	ok := s.state.step(eventHeader)
	s.mu.Unlock()
	if !ok {
		return errHeaderTwice
	}
	md = s.receivedHeader(md, wireLength)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.response.hasHeader, s.response.header = true, md
	s.setHeaderKnown()
	return nil
}

// impliedHeader sets the header of an answer that begins with a message: it is empty.
func (s *clientStream) impliedHeader() {
	if !s.response.hasHeader {
		s.setHeader(nil, wire.FrameHeaderLen)
	}
}

func (s *clientStream) receiveMessage(m any) error {
	s.impliedHeader()
	n, files := s.in.current.n, s.in.takeFiles()
	defer files.close() // unless they are delivered
	if n > s.opts.maxRecv {
		return tooLarge(n, s.opts.maxRecv)
	}
	p, err := s.in.message()
	if err != nil {
		return err
	}
	if err := s.client.codec.unmarshal(p, m); err != nil {
		return err
	}
	if err := files.deliver(m); err != nil {
		return err
	}
	if s.response.messages == 0 {
		s.mu.Lock()
		s.state.step(eventMessage)
		s.mu.Unlock()
	}
	if s.status == nil {
		s.response.messages++ // otherwise it was counted with the status
	}
	s.receivedMessage(m, n)
	return nil
}

// receiveStatus returns the result of the call, io.EOF for success.
func (s *clientStream) receiveStatus() error {
	n := s.in.current.n
	b, err := s.in.control()
	if err != nil {
		return err
	}
	h, err := wire.ParseStatus(b)
	if err != nil {
		return err
	}
	trailer, err := s.receivedStatus(&h, &s.response, n+wire.FrameHeaderLen)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = io.EOF
	}
	if s.state.step(eventStatus) {
		s.status, s.response.trailer, s.clean = err, trailer, !h.Last && s.result == nil
	}
	s.setHeaderKnown()
	s.out.close() // the server accepts no more
	return err
}

func (s *clientStream) Header() (metadata.MD, error) {
	for !s.isHeaderKnown() {
		if s.reading.TryLock() {
			s.findHeader()
			s.doneReading()
			continue
		}
		s.awaitHeader()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.response.header, nil
}

func (s *clientStream) isHeaderKnown() bool {
	select {
	case <-s.headerKnown:
		return true
	default:
		return false
	}
}

// awaitHeader waits for the header while another goroutine receives, until that stops.
func (s *clientStream) awaitHeader() {
	s.readingWaits.Add(1)
	defer s.readingWaits.Add(-1)
	s.mu.Lock()
	stopped := s.mu.change()
	s.mu.Unlock()
	if s.reading.TryLock() { // it stopped before it could know of this
		s.doneReading()
		return
	}
	select {
	case <-s.headerKnown:
	case <-stopped:
	}
}

// findHeader receives until the header is known. The caller holds reading.
func (s *clientStream) findHeader() {
	for !s.isHeaderKnown() {
		k, err := s.next()
		if err == nil {
			switch k {
			case wire.KindHeader:
				err = s.receiveHeader()
			case wire.KindMessage:
				s.impliedHeader()
			case wire.KindStatus: // there is none
				err = s.receiveStatus()
			default:
				err = unexpectedFrame(k)
			}
		}
		if err != nil {
			s.end(s.explain(err))
			s.settle()
		}
	}
}
