//go:build !linux

package runtime

import (
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// acceptOne waits for a connection and says whose it is; the uid is -1 if that cannot be found out.
func (l *fairListener) acceptOne() (*net.UnixConn, int, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, 0, err
	}
	peer, _ := socket.PeerOf(conn)
	return conn, peer.UID, nil
}

// On Linux these are for a queue that one user fills, for a process without descriptors, and against files that
// clients send.
func (l *fairListener) shed() net.Conn { return nil }
func (l *fairListener) keepSpare()     {}
func (l *fairListener) dropSpare()     {}
func refuseFiles(*net.UnixConn)        {}
