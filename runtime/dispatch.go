package runtime

import (
	"io"
	"log/slog"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

// http2Preface is the beginning of a connection of HTTP/2 (RFC 9113, section 3.4). The other two prefaces
// have the same length.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// divert takes a new connection away from grpc if it does not speak HTTP/2: that of a successor that asks
// for the listener, of a client that speaks the direct transport, or of one that sends nothing. It peeks
// at the preface. Until that has arrived, the connection is half-open; grpc's deadline for the handshake
// ends the wait.
func (s *Server) divert(a arrival, info AuthInfo) bool {
	preface := make([]byte, direct.PrefaceLen)
	n, err := listener.Peek(a.UnixConn, preface, isNoPreface)
	switch {
	case err != nil:
		a.Close()
		s.admission.leave(a.place)
		return true
	case preface[0] != listener.HandoverRequest[0] || isNoPreface(preface[:n]):
		// Whatever it is, grpc answers with its settings, which tell a client that this is an HTTP/2
		// server.
		return s.forGRPC(a)
	}
	if _, err := io.ReadFull(a.UnixConn, preface); err != nil {
		return s.forGRPC(a)
	}
	switch {
	case string(preface) == listener.HandoverRequest:
		return s.divertSuccessor(a)
	case direct.IsPreface(preface) && s.direct != nil:
		info.Direct = true
		go s.serveDirect(a, preface, info, s.direct.Coming()) // ends with the connection; see direct.Server
		return true
	}
	return s.forGRPC(a)
}

// isNoPreface reports whether b cannot be the beginning of a preface that this server knows.
func isNoPreface(b []byte) bool {
	for _, preface := range []string{http2Preface, listener.HandoverRequest, direct.Magic} {
		n := min(len(b), len(preface))
		if string(b[:n]) == preface[:n] {
			return false
		}
	}
	return true
}

// forGRPC leaves a connection to grpc, unless its place is gone; then it closes the connection.
func (s *Server) forGRPC(a arrival) (taken bool) { return !s.admission.speaksHTTP2(a.place) }

func (s *Server) divertSuccessor(a arrival) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateServing && s.state != stateDraining {
		return s.forGRPC(a)
	}
	if !s.admission.speaksHandover(a.place) {
		return true
	}
	s.successors.Go(func() {
		defer s.admission.leave(a.place)
		s.handOver(a.UnixConn)
	})
	return true
}

// serveDirect only waits, most of the time, for each connection. It is kept small, so that the garbage
// collector can shrink its stack.
func (s *Server) serveDirect(a arrival, preface []byte, info AuthInfo, done func()) {
	defer done()
	defer s.admission.leave(a.place)
	var err error
	switch s.admission.speaksDirect(a.place) {
	case placeDirect:
		s.credentials().accepted(info)
		err = s.direct.Serve(a.UnixConn, preface, info)
	case placeDeclined:
		err = s.direct.Decline(a.UnixConn, preface, info)
	}
	if err != nil {
		s.reportClosed(err, info)
	}
}

func (s *Server) reportClosed(err error, info AuthInfo) {
	s.config.event(slog.LevelWarn, "connection closed", slog.Any("error", err), peerAttr(info.Peer))
}
