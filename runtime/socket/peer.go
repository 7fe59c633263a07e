package socket

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/udsgrpc/udsgrpc/runtime/internal/peercred"
)

// Peer is the process at the other end of a connection, as the kernel knows it. Neither end
// can forge it.
//
// The kernel records one moment: for a server, when the client connected; for a client, when the server
// began to listen. A process that has since changed its user, passed the connection on, or died, is still
// reported as it was then.
type Peer struct {
	// UID and GID are the effective user and group; -1 when not known. HasUID tells.
	UID, GID int
	// Groups are the supplementary groups, as far as the system reports them.
	Groups []int
	// PID is the process id, as seen by this process; 0 when not known. HasPID tells. The process may have
	// ended and another one may have its id; OpenPidfd is safe from that.
	PID int

	// HasUID is false where the system does not report the user, and for a user of another user namespace
	// who is unmapped in this one. The kernel reports all such users as one number, mostly 65534, which
	// can also be that of the user "nobody". So that number is known only where the user namespace of this
	// process maps every uid, as that of a machine does, and that of a container without one of its own.
	HasUID bool
	// HasPID is false where the system does not report the process, and for a process of a PID namespace
	// that cannot be seen from here.
	HasPID bool

	unmapped bool // the system reported the number that stands for unmapped users
	conn     syscall.RawConn
}

// PeerOf asks the kernel for the process at the other end of conn. Linux and darwin report user, groups
// and process, freebsd user and groups. Elsewhere the error is [ErrUnsupported] and nothing is known of
// the Peer.
func PeerOf(conn *net.UnixConn) (Peer, error) {
	c, err := peercred.Of(conn)
	p := Peer{UID: c.UID, GID: c.GID, Groups: c.Groups, PID: c.PID, HasUID: c.HasUID, HasPID: c.HasPID, unmapped: c.Unmapped}
	if err != nil {
		return p, err
	}
	p.conn, err = conn.SyscallConn()
	return p, err
}

// OpenPidfd returns a file descriptor for the peer's process (pidfd_open(2)), and never for another
// process that was given its id later. The caller closes it. It works while the connection is open.
//
// The error wraps [ErrUnsupported] on systems without it and on Linux before 6.5, and [net.ErrClosed] when
// the connection is closed. If the process has ended, the error wraps [os.ErrProcessDone] before Linux
// 6.16. Later kernels return a descriptor of such a process as well, and signal 0 (pidfd_send_signal(2))
// tells.
func (p Peer) OpenPidfd() (*os.File, error) {
	if p.conn == nil {
		return nil, fmt.Errorf("open pidfd of the peer: it has no connection: %w", ErrUnsupported)
	}
	var f *os.File
	var openErr error
	if err := p.conn.Control(func(fd uintptr) { f, openErr = peercred.OpenPidfd(int(fd)) }); err != nil {
		return nil, fmt.Errorf("open pidfd of the peer: %w", err)
	}
	if openErr != nil {
		return nil, fmt.Errorf("open pidfd of the peer, process %d: %w", p.PID, openErr)
	}
	return f, nil
}

// String describes the peer for people, as in "uid 1000, gid 1000, process 42", or
// "uid 65534 (nobody, or a user unknown in this user namespace), process 42".
func (p Peer) String() string {
	return peercred.Credentials{UID: p.UID, GID: p.GID, PID: p.PID, HasUID: p.HasUID, HasPID: p.HasPID, Unmapped: p.unmapped}.String()
}
