//go:build !linux

package admission

import (
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/internal/peercred"
)

// acceptOne waits for a connection and returns it with its user; the uid is -1 if it is unknown.
func (l *listener) acceptOne() (*net.UnixConn, int, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, 0, err
	}
	peer, _ := peercred.Of(conn)
	return conn, peer.UID, nil
}

// On Linux these handle a queue that one user fills, a process without free descriptors, and descriptors
// that clients send.
func (l *listener) shed() net.Conn { return nil }
func (l *listener) keepSpare()     {}
func (l *listener) dropSpare()     {}
func refuseFiles(*net.UnixConn)    {}
