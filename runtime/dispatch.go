package runtime

import (
	"io"
	"log/slog"

	"google.golang.org/grpc/credentials"

	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/admission"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/internal/peek"
)

// newAdmission returns the admission of a server, whose decisions are counted and logged.
func (s *Server) newAdmission() *admission.Admission {
	c := s.config
	return admission.New(admission.Config{
		MaxConnsPerUser:  c.maxConnsPerUser,
		UnseenHandshakes: len(c.raw) > 0,
		Taken:            s.dispatchArrived,
		TurnedAway: func(r admission.TurnedAway) {
			c.counters.turnedAway.Add(1)
			if r.First {
				c.event(slog.LevelWarn, "turned away", slog.Int("uid", r.UID), slog.Int("connections", r.Connections))
			}
		},
		NotAccepted: func(err error, report bool) {
			c.counters.notAccepted.Add(1)
			if report {
				c.event(slog.LevelError, "cannot accept", slog.Any("error", err))
			}
		},
	})
}

// http2Preface is the beginning of a connection of HTTP/2 (RFC 9113, section 3.4). The other prefaces have
// the same length.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// dispatch takes a new connection away from grpc if it does not speak HTTP/2, and reports whether it did:
// that of a successor that asks for the listener, of a viewer, of a client that speaks the direct transport,
// or of one that sends nothing. It peeks at the preface. Until that has arrived, the connection is half-open; grpc's
// deadline for the handshake ends the wait.
func (s *Server) dispatch(c *admission.Conn, info AuthInfo) (taken bool) {
	preface := make([]byte, direct.PrefaceLen)
	n, err := peek.Bytes(c.UnixConn, preface, isNoPreface)
	switch {
	case err != nil:
		c.Close()
		return true
	case preface[0] != listener.HandoverRequest[0] || isNoPreface(preface[:n]):
		// Whatever it is, grpc answers with its settings, which tell a client that this is an HTTP/2
		// server.
		return leaveToGRPC(c)
	}
	if _, err := io.ReadFull(c.UnixConn, preface); err != nil {
		return leaveToGRPC(c)
	}
	switch {
	case string(preface) == listener.HandoverRequest:
		return s.dispatchSuccessor(c)
	case string(preface) == inspectwire.Preface:
		return s.dispatchViewer(c, info)
	case direct.IsPreface(preface) && s.direct != nil:
		info.Direct = true
		done := s.direct.Coming()
		go func() { // ends with the connection; see direct.Server
			growStack()
			s.serveDirect(c, preface, info, done)
		}()
		return true
	}
	return leaveToGRPC(c)
}

// dispatchArrived takes a new connection if its client has sent the preface of the direct transport by now, as most
// have. What dispatch does for the others takes another goroutine, of grpc's, and timers.
func (s *Server) dispatchArrived(c *admission.Conn) (taken bool) {
	if s.direct == nil {
		return false
	}
	preface := make([]byte, direct.PrefaceLen)
	if !peek.Arrived(c.UnixConn, preface) || !direct.IsPreface(preface) {
		return false
	}
	done := s.direct.Coming()
	go func() { // ends with the connection; see direct.Server
		s.serveDirect(c, preface, s.finishHandshake(c, preface), done)
	}()
	return true
}

// finishHandshake ends the handshake of a connection whose preface has arrived, and returns who is at the other end.
func (s *Server) finishHandshake(c *admission.Conn, preface []byte) credentials.AuthInfo {
	growStack()
	defer c.HandshakeDone()
	io.ReadFull(c.UnixConn, preface)
	info := newAuthInfo(c.UnixConn)
	info.draining, info.Direct = s.draining, true
	return info
}

// isNoPreface reports whether b cannot be the beginning of a preface that this server knows.
func isNoPreface(b []byte) bool {
	for _, preface := range []string{http2Preface, listener.HandoverRequest, inspectwire.Preface, direct.Magic} {
		n := min(len(b), len(preface))
		if string(b[:n]) == preface[:n] {
			return false
		}
	}
	return true
}

// leaveToGRPC leaves a connection to grpc, unless it had to make room for another one and is closed.
func leaveToGRPC(c *admission.Conn) (taken bool) { return c.Begin(admission.HTTP2) == admission.Closed }

func (s *Server) dispatchSuccessor(c *admission.Conn) (taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateServing && s.state != stateDraining {
		return leaveToGRPC(c)
	}
	if c.Begin(admission.Handover) == admission.Closed {
		return true
	}
	s.successors.Go(func() {
		defer c.Close()
		s.handOver(c.UnixConn)
	})
	return true
}

// serveDirect only waits, most of the time, for each connection. It is kept small: with what is below it on the
// stack it needs so little that the garbage collector can shrink that to 4 KiB.
func (s *Server) serveDirect(c *admission.Conn, preface []byte, info credentials.AuthInfo, done func()) {
	defer done()
	defer c.Close()
	var err error
	switch s.beginDirect(c, info) {
	case admission.Direct:
		err = s.direct.Serve(c.UnixConn, preface, info)
	case admission.Declined:
		err = s.direct.Decline(c.UnixConn, preface, info)
	}
	if err != nil {
		s.reportClosed(err, info)
	}
}

func (s *Server) beginDirect(c *admission.Conn, info credentials.AuthInfo) admission.State {
	state := c.Begin(admission.Direct)
	if state == admission.Direct {
		s.credentials().accepted(info.(AuthInfo))
	}
	return state
}

func (s *Server) reportClosed(err error, info credentials.AuthInfo) {
	s.config.event(slog.LevelWarn, "connection closed", slog.Any("error", err), peerAttr(info.(AuthInfo).Peer))
}

// growStack makes the stack of a new goroutine as large as a call needs, while there is little on it. Otherwise it
// would grow in the middle of the first call, when there is much to move.
//
//go:noinline
func growStack() { touch(new([6 << 10]byte)) }

//go:noinline
func touch(*[6 << 10]byte) {}
