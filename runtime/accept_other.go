//go:build !linux

package runtime

import (
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// acceptOne waits for a connection and returns it with its user; the uid is -1 if it is unknown.
func (l *fairListener) acceptOne() (*net.UnixConn, int, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, 0, err
	}
	peer, _ := socket.PeerOf(conn)
	return conn, peer.UID, nil
}

// On Linux these handle a queue that one user fills, a process without free descriptors, and descriptors
// that clients send.
func (l *fairListener) shed() net.Conn { return nil }
func (l *fairListener) keepSpare()     {}
func (l *fairListener) dropSpare()     {}
func refuseFiles(*net.UnixConn)        {}
