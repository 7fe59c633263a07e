package runtime

import (
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// fairListener accepts connections that get a place. It returns each as an arrival, unless the credentials
// may be the program's, which cannot unwrap one.
type fairListener struct {
	*net.UnixListener
	server *Server
	spare  []*os.File // nil if there is none; used by the accepting goroutine
}

// arrival is a connection whose place is known. The handshake gives grpc the connection itself.
type arrival struct {
	*net.UnixConn
	place *place // nil if nothing reports what becomes of the connection
}

func (l *fairListener) Accept() (net.Conn, error) {
	for {
		conn, uid, err := l.acceptOne()
		if err != nil {
			l.server.notAccepted(err)
			return nil, err
		}
		if conn == nil {
			continue
		}
		if user := l.server.admit(uid); user != nil {
			return l.server.arrived(conn, user), nil
		}
		conn.Close()
		if next := l.shed(); next != nil {
			return next, nil
		}
	}
}

// admit returns the user of a connection that gets a place, for arrived, and nil for others.
func (s *Server) admit(uid int) *user {
	u, refused := s.admission.admit(uid, time.Now())
	if refused != nil {
		s.turnedAway(refused)
	}
	return u
}

// arrived records a connection that was admitted.
func (s *Server) arrived(conn *net.UnixConn, u *user) net.Conn {
	a := &s.arrivals
	now := time.Now()
	a.last.Store(&now)
	a.accepted.Add(1)
	refuseFiles(conn)
	p := s.admission.enter(u, conn, a.unknown)
	if a.unknown {
		return conn
	}
	return arrival{conn, p}
}

func (s *Server) turnedAway(r *refusal) {
	s.config.counters.turnedAway.Add(1)
	if r.episode {
		s.config.event(slog.LevelWarn, "turned away", slog.Int("uid", r.uid), slog.Int("connections", r.held))
	}
}

// newAdmission returns the admission of a server. Peers of unknown users share.
func (c *serverConfig) newAdmission() *admission {
	own, known := os.Geteuid(), userns.UIDs()
	// The number that stands for unmapped users can be the server's own. Then it does not identify a client.
	return newAdmission(sharesOf(descriptors.Limit(), c.maxConnsPerUser), func(uid int) bool {
		return (uid == 0 || uid == own) && known.Maps(uid)
	})
}
