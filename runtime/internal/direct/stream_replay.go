package direct

import (
	"context"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// A server that ends answers that a call is unprocessed, or hangs up before it can have read one. Such a
// call is sent again to the next server, because it is certain that it was not processed. So everything
// that was sent is kept until the server has begun to answer, or must have begun the call.

// maxTries is how often an unprocessed call is sent again. Each try met a server that was about to end.
const maxTries = 5

// replayLimit is how much of a call is kept at least for another try. A server that has not read the call
// frame has everything in its queue. Once more than the queue can hold was accepted, it has begun. Linux
// accepts what SO_SNDBUF says, 208 KiB by default (net.core.wmem_default), and at most one buffer of 48
// KiB more (unix_stream_sendmsg in net/unix/af_unix.c).
const (
	replayLimit = 208<<10 + largestBuffer

	largestBuffer = 48 << 10
)

// mustHaveBegun reports whether the kernel has accepted more than fits in the queue of a server that does
// not read. The caller holds mu.
func (s *clientStream) mustHaveBegun() bool {
	n := s.out.kept()
	return n > replayLimit && n > s.conn.sendBuffer()+largestBuffer+ringRoom
}

// readPause is how often a Send looks whether the server has read the open files before.
const readPause = time.Millisecond

// awaitRead waits while the stream keeps so many open files for another try that those of one more message
// are too many: until the server has answered or read them. The caller holds mu, which is released while
// waiting.
func (s *clientStream) awaitRead(files *filewalk.Files) {
	more := len(files.IDs())
	for more > 0 && s.keepsTooMany(more) {
		switch {
		case s.in.ended():
			s.findOut() // a go-away frame was taken in
			continue
		case s.out.queued == 0 && s.conn.allRead():
			// One read of the server brings the files of one message. So the second was read by a call that
			// has begun, or after a go-away frame, which would be here.
			s.state.step(eventMuchTaken)
			s.out.stopKeeping()
			return
		}
		pause, end := context.WithTimeout(s.ctx, readPause)
		s.out.await(pause.Done())
		end()
	}
}

// keepsTooMany reports whether a message with so many open files has to wait. The caller holds mu.
func (s *clientStream) keepsTooMany(more int) bool {
	if !s.out.keeping || s.out.life != outboxOpen || s.out.err != nil {
		return false
	}
	files, messages := s.out.keptFiles()
	return messages >= 2 && files+more > filesPerCall
}

// sendAgain is called when the connection has ended with readErr or, if that is nil, with a go-away frame.
// If the call is unprocessed, sendAgain sends it again to another server, and reports that. A stream with
// WaitForReady waits for a server. The caller holds reading.
func (s *clientStream) sendAgain(readErr error) (again bool, err error) {
	dead := s.conn
	if !s.unprocessed(readErr) {
		switch {
		case readErr != nil:
			return false, s.connError(readErr)
		case s.begun:
			return false, s.connError(errGoesAway)
		}
		return false, s.connError(errUnprocessed)
	}
	s.tries++
	next, err := s.client.replace(s.caller, dead, nil)
	if err != nil && !s.opts.failFast {
		next, err = s.client.awaitServer(s.caller, func() bool { return s.outcome() != nil })
	}
	if err != nil {
		return false, s.connError(err)
	}
	if err := s.attach(next); err != nil {
		s.client.pool.put(next)
		return false, err
	}
	return true, nil
}

// unprocessed reports whether the call is unprocessed and may be sent again. If so, everything is queued
// for the next connection.
func (s *clientStream) unprocessed(readErr error) bool {
	s.conn.shutDown() // ends a write that waits
	defer s.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.out.writing {
		s.mu.wait()
	}
	next, may := s.state.after(eventUnprocessed)
	if !may || s.tries == maxTries || s.client.pool.isClosed() {
		return false
	}
	// Last, as endUnread takes back what is in a ring. The server may yet read what a call has sent that this end has ended.
	if readErr != nil && s.state.processing != processingUntaken && !s.endUnread(readErr) {
		return false
	}
	s.state = next
	s.out.detach()
	s.mu.broadcast() // wakes a Send that found that nothing can be sent
	return true
}

// endUnread reports whether the server has not read the end of the call, of a client that sends one message, or nothing of
// the call at all: no server begins it before. The connection has ended with readErr. The caller holds mu.
func (s *clientStream) endUnread(readErr error) bool {
	return s.conn.untouched(readErr) || !s.desc.ClientStreams && (s.state.send != sendingEndTaken || s.conn.unread(readErr))
}

// attach continues the call on another connection. The error is the result of the call if it has ended in
// the meantime.
func (s *clientStream) attach(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.result != nil {
		return s.result
	}
	if s.out.hasFiles() && !c.takesFiles {
		return errTakesNoFiles
	}
	s.conn = c
	c.abort.Store(&s.abort)
	s.in.attach(c)
	var call []byte
	if s.callLen > 0 {
		call = s.appendCall(nil)
	}
	old := s.callLen
	s.callLen = len(call)
	s.out.attach(c, call, old)
	return nil
}
