package direct

// A server that ends says of calls that it has not processed them, or hangs up before it can have
// read one. Such a call is sent again to the next server, without a doubt whether it was done. For that
// everything that was sent is kept, until the server has begun to answer, or must have begun the call.

// maxTries is how often a call is sent again that no server has processed. Each time it met one
// that was about to end.
const maxTries = 5

// replayLimit is how much of a call is kept at least for another try. A server that has not read the
// call frame yet has all of it in its queue, and after more than that can hold it has begun. Linux
// lets in what SO_SNDBUF says, 208 KiB by default (net.core.wmem_default), and at most one buffer of 48
// KiB more (unix_stream_sendmsg in net/unix/af_unix.c).
const (
	replayLimit = 208<<10 + largestBuffer

	largestBuffer = 48 << 10
)

// mustHaveBegun reports whether the kernel has taken more than fits in the queue of a server that
// does not read. The caller holds mu.
func (s *clientStream) mustHaveBegun() bool {
	n := s.out.kept()
	return n > replayLimit && n > s.conn.sendBuffer()+largestBuffer
}

// sendAgain is called when the connection has ended with readErr or, if that is nil, with the server's
// word that it has not processed the call. If no server has, sendAgain sends the call again to another
// one, and reports that; a stream that waits for ready waits for one. The caller holds reading.
func (s *clientStream) sendAgain(readErr error) (again bool, err error) {
	dead := s.conn
	if !s.unprocessed(readErr) {
		switch {
		case readErr != nil:
			return false, s.broken(readErr)
		case s.begun:
			return false, s.broken(errGoesAway)
		}
		return false, s.broken(errUnprocessed)
	}
	s.tries++
	next, err := s.client.replace(s.caller, dead)
	if err != nil && !s.opts.failFast {
		next, err = s.client.await(s.caller, func() bool { return s.outcome() != nil })
	}
	if err != nil {
		return false, s.broken(err)
	}
	if err := s.attach(next); err != nil {
		s.client.pool.put(next)
		return false, err
	}
	return true, nil
}

// unprocessed reports whether no server has processed the call, and it may be sent again. If so, all of it
// is queued for the next connection.
func (s *clientStream) unprocessed(readErr error) bool {
	s.conn.Close() // and so ends who writes
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.out.writing {
		s.mu.wait()
	}
	unknown := readErr != nil && s.state.processing != processingUntaken // what the kernel has taken, the server may have read
	if unknown || s.tries == maxTries || s.client.pool.isClosed() || !s.state.step(eventUnprocessed) {
		return false
	}
	s.out.detach()
	s.mu.broadcast() // to who has found that nothing can be sent
	return true
}

// attach goes on with the call on another connection. The error is what the call has come to meanwhile.
func (s *clientStream) attach(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.result != nil {
		return s.result
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
