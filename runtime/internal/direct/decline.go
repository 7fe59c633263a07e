package direct

import (
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// Decline tells the client of a connection whose preface was read to use HTTP/2, because there are too
// many connections at the moment, and closes the connection. The error says what the client did wrong; it
// is nil if it did nothing wrong.
func (s *Server) Decline(c *net.UnixConn, preface []byte, info credentials.AuthInfo) error {
	nc, err := newConn(c, info, s.codec.pool)
	if err != nil {
		c.Close()
		return nil
	}
	defer nc.Close()
	// See serverConn.open.
	slow := time.AfterFunc(prefaceTimeout, func() { nc.Close() })
	defer slow.Stop()
	_, err = serverHandshake(nc.UnixConn, &nc.rd, preface, wire.Answer{Full: true})
	if v := wire.Violation(""); errors.As(err, &v) {
		return err
	}
	return nil
}
