package runtime

import (
	"io"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// divert takes a new connection away from grpc if it does not speak HTTP/2: that of an heir, who
// asks for the listener, or of a client that speaks the direct transport. The first byte
// tells those two, which begin with as many bytes, from HTTP/2.
func (s *Server) divert(conn *net.UnixConn, info AuthInfo) bool {
	first, err := socket.PeekByte(conn)
	if err != nil || first != socket.HandoverRequest[0] {
		return false
	}
	preface := make([]byte, direct.PrefaceLen)
	if _, err := io.ReadFull(conn, preface); err != nil {
		return false
	}
	switch {
	case string(preface) == socket.HandoverRequest:
		return s.divertHeir(conn)
	case direct.IsPreface(preface) && s.direct != nil:
		info.Direct = true
		s.config.credentials().accepted(info)
		go s.serveDirect(conn, preface, info) // ends with the connection; see direct.Server
		return true
	}
	// grpc answers with its settings, from which a client knows that this is an HTTP/2 server.
	return false
}

func (s *Server) divertHeir(conn *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateServing {
		return false
	}
	s.heirs.Go(func() { s.handOver(conn) })
	return true
}

// serveDirect does nothing but wait most of the time, for each connection: it is kept small, so that
// the garbage collector can shrink its stack.
func (s *Server) serveDirect(conn *net.UnixConn, preface []byte, info credentials.AuthInfo) {
	if err := s.direct.Serve(conn, preface, info); err != nil {
		s.reportClosed(err, info)
	}
}

// reportClosed tells of a client that broke the rules. One that was told to use HTTP/2, and does, has broken
// none.
func (s *Server) reportClosed(err error, info credentials.AuthInfo) {
	level := slog.LevelWarn
	if direct.IsFull(err) {
		level = slog.LevelDebug
	}
	s.config.event(level, "connection closed", slog.Any("error", err), peerAttr(info.(AuthInfo).Peer))
}
