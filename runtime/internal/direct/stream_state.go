package direct

// streamState is the state of a client's stream. Each part moves forward on its own, unless the stream is
// sent again to another server.
type streamState struct {
	processing processing
	send       sending
	receive    receiving
	life       life
}

// processing is how far servers may be with the call.
type processing int8

const (
	processingUntaken processing = iota // the kernel has accepted no byte of it, so no server can have it
	processingTaken                     // a server may have read it
	processingBegun                     // a server has begun it: it answers, or so much could not have been sent
)

// sending is what was sent.
type sending int8

const (
	sendingNew       sending = iota // nothing
	sendingCalled                   // the frame that begins the call is queued
	sendingEndQueued                // the frame that ends it is
	sendingEndTaken                 // the kernel has accepted it
)

// receiving is what was received.
type receiving int8

const (
	receivingWaiting  receiving = iota // nothing
	receivingHeader                    // the header
	receivingMessages                  // a message
	receivingStatus                    // the status
	receivingOver                      // the program knows the result
)

// life says whether the stream is running.
type life int8

const (
	lifeRunning life = iota
	lifeEnded        // the result is known; the stream still has its connection
	lifeOver         // the connection was given back or closed
)

// event is what happens to a stream.
type event int8

const (
	eventCalled      event = iota // the frame that begins the call is queued
	eventEndQueued                // the frame that ends it is
	eventTaken                    // the kernel has accepted bytes
	eventEndTaken                 // all, and the end was queued
	eventMuchTaken                // more than fits in the queue of a server that does not read
	eventAnswered                 // a frame other than go away was received
	eventHeader                   // the header was received
	eventMessage                  // a message
	eventStatus                   // the status
	eventUnprocessed              // the call is unprocessed, and will be sent again
	eventReceivedAll              // the program was told the result
	eventEnded                    // the result is known
	eventReleased                 // its connection was given back or closed
)

// after returns the state after e. It reports whether e may happen in this state.
func (s streamState) after(e event) (streamState, bool) {
	running := s.life == lifeRunning
	ok := running
	switch e {
	case eventCalled:
		ok = running && s.send == sendingNew
		s.send = sendingCalled
	case eventEndQueued:
		ok = running && s.send == sendingCalled
		s.send = sendingEndQueued
	case eventTaken:
		ok = s.send != sendingNew
		s.processing = max(s.processing, processingTaken)
	case eventEndTaken:
		ok = s.send == sendingEndQueued
		s.send = sendingEndTaken
	case eventMuchTaken:
		ok = s.processing != processingUntaken
		s.processing = processingBegun
	case eventAnswered:
		ok = true // also when the goroutine that wrote has not reported it yet
		s.processing = processingBegun
	case eventHeader:
		ok = s.receive == receivingWaiting
		s.receive = receivingHeader
	case eventMessage:
		ok = s.receive <= receivingMessages
		s.receive = receivingMessages
	case eventStatus:
		ok = s.receive <= receivingMessages
		s.receive = receivingStatus
	case eventUnprocessed:
		ok = running && s.processing != processingBegun
		s.processing = processingUntaken
		s.send = min(s.send, sendingEndQueued)
	case eventReceivedAll:
		ok = s.life != lifeRunning
		s.receive = receivingOver
	case eventEnded:
		s.life = lifeEnded
	case eventReleased:
		ok = s.life == lifeEnded
		s.life = lifeOver
	}
	return s, ok
}

// step applies e to the state. It reports whether e may happen; if not, nothing changes.
func (s *streamState) step(e event) bool {
	next, ok := s.after(e)
	if ok {
		*s = next
	}
	return ok
}
