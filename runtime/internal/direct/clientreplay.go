package direct

import "errors"

// A server that ends says of calls that it has not processed them, or hangs up before it can have
// read one. Such a call is begun anew at the next server, without a doubt whether it was done. For that
// everything that was sent is kept, until the server has begun to answer, or must have begun the call.

// maxTries is how often a call is begun anew that no server has processed. Each time it met one
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

// keeps reports whether what is sent next has to be kept for another try.
func (r *sender) keeps() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replay != nil
}

// keep keeps data for another try. The caller holds send.mu.
func (s *clientStream) keep(data payload) {
	s.send.replaySize += data.len()
	s.send.replay = append(s.send.replay, data)
}

// commit keeps nothing any more if the server must have begun the call. The caller holds send.mu, and
// all that is kept was written.
func (s *clientStream) commit() {
	if n := s.send.replaySize; s.desc.ClientStreams && n > replayLimit && n > s.conn.Load().sendBuffer()+largestBuffer {
		s.begun.Store(true)
	}
	if s.begun.Load() {
		s.send.dropReplay()
	}
}

// mayRetry reports whether the call on c, which has ended with err or, if that is nil, with the
// server's word that it has not processed the call, may be begun anew. The caller holds recv.mu.
func (s *clientStream) mayRetry(c *conn, err error) bool {
	unknown := err != nil && c.accepted.Load() // what the kernel has taken, the server may have read
	return !s.begun.Load() && !unknown && s.recv.tries < maxTries &&
		s.killed.Load() == nil && !s.client.pool.isClosed()
}

// dropReplay is for a call that will not be tried again. The caller holds mu.
func (r *sender) dropReplay() {
	for i := range r.replay {
		r.replay[i].free()
	}
	r.replay = nil
}

// retry begins the call anew on another connection, as the server has not processed it on this
// one. A stream that is to wait for a server waits; a unary call can do so over HTTP/2. The caller
// holds recv.mu.
func (s *clientStream) retry() error {
	c, err := s.client.replace(s.caller, s.conn.Load())
	if err != nil && s.desc != &unaryDesc && !s.opts.failFast {
		c, err = s.client.await(s.caller, func() bool { return s.killed.Load() != nil })
	}
	if err != nil {
		return err
	}
	s.send.mu.Lock()
	if s.begun.Load() {
		// While this one looked for a server, who sends has found that the last one must have begun
		// the call, and keeps nothing any more.
		s.send.mu.Unlock()
		s.client.pool.put(c)
		return errors.New("the server has gone in the middle of the call")
	}
	s.conn.Store(c)
	defer s.recv.mu.look()
	if s.abort != nil {
		c.abort.Store(&s.abort)
	}
	if s.killed.Load() != nil {
		c.Close()
	}
	s.send.called = false
	c.accepted.Store(false)
	if !s.desc.ClientStreams {
		s.writeReplay()
		return nil
	}
	// The server may answer before it has read all, and want that to be received before it reads on. That
	// it has got the beginning has to be known before anybody receives.
	s.write(payload{}, false, s.send.ended && len(s.send.replay) == 0, false)
	go s.writeReplay() // ends at the latest when the connection is closed
	return nil
}

// writeReplay writes what was kept, and unlocks send.mu, which the caller has locked.
func (s *clientStream) writeReplay() {
	defer s.send.mu.Unlock()
	replay := s.send.replay
	if len(replay) == 0 && !s.send.called && s.send.ended {
		s.write(payload{}, false, true, false)
	}
	for i, data := range replay {
		if s.write(data, true, s.send.ended && i == len(replay)-1, false) != nil {
			break // the next to receive finds out
		}
	}
}
