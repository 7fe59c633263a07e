package admission

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
)

// acceptOne waits for a connection and returns it with its user; the uid is -1 if it is unknown. The
// connection is nil if there was no descriptor for it and it was closed.
func (l *listener) acceptOne() (*net.UnixConn, int, error) {
	if l.spare == nil {
		l.keepSpare()
	}
	conn, err := l.AcceptUnix()
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return l.acceptWithSpare(err)
	}
	if err != nil {
		return nil, 0, err
	}
	uid := -1
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { uid = peerUID(int(fd)) })
	}
	return conn, uid, nil
}

// acceptWithSpare accepts when no descriptor is left: root and the server's own user get the ones that
// were kept, and others are turned away, so that nobody waits behind them.
func (l *listener) acceptWithSpare(short error) (*net.UnixConn, int, error) {
	if l.spare == nil {
		return nil, 0, short
	}
	l.dropSpare()
	defer l.keepSpare()
	fd, err := l.acceptNow()
	if err != nil {
		return nil, 0, short // no connection waits
	}
	uid := peerUID(fd)
	if !l.admission.owns(uid) {
		unix.Close(fd)
		l.admission.turnAway(uid, time.Now())
		return nil, 0, nil
	}
	conn, err := descriptors.Conn(fd, "accepted")
	if err != nil {
		return nil, 0, short
	}
	return conn, uid, nil
}

// keepSpare keeps two descriptors for acceptWithSpare, if there are any, or if other users have half-open
// connections that can be closed: one for the connection, and one for package net's copy.
func (l *listener) keepSpare() {
	if !l.openSpare() && l.admission.makeRoom(time.Now()) {
		l.openSpare()
	}
}

func (l *listener) openSpare() bool {
	r, w, err := os.Pipe()
	if err == nil {
		l.spare = []*os.File{r, w}
	}
	return err == nil
}

func (l *listener) dropSpare() {
	for _, f := range l.spare {
		f.Close()
	}
	l.spare = nil
}

// shedMost is how many connections are turned away before the listener is checked again: it may have been
// closed.
const shedMost = 1000

// shed continues after a connection was turned away. A user in a loop fills the queue, and clients behind
// it must not wait while a goroutine, the poller and grpc handle each of these connections. It returns the
// first connection that is admitted; nil if the queue is empty.
func (l *listener) shed() net.Conn {
	for range shedMost {
		fd, err := l.acceptNow()
		if err != nil {
			return nil
		}
		user := l.admission.admit(peerUID(fd), time.Now())
		if user == nil {
			unix.Close(fd)
			continue
		}
		conn, err := descriptors.Conn(fd, "accepted")
		if err != nil {
			l.admission.abandon(user)
			continue
		}
		return l.enter(user, conn)
	}
	return nil
}

// acceptNow accepts a connection that waits in the queue. The poller does not know the descriptor.
func (l *listener) acceptNow() (fd int, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return -1, err
	}
	controlErr := raw.Control(func(listener uintptr) {
		fd, _, err = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	})
	return fd, errors.Join(controlErr, err)
}

// peerUID returns the user at the other end. Users without a number in this user namespace all have the
// same one, that of nobody.
func peerUID(fd int) int {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1
	}
	return int(cred.Uid)
}

// refuseFiles makes sendmsg(2) fail with EPERM for a client that wants to pass descriptors. This server
// takes none, and unread ones would count against the limit of this process. The option is not set on the
// listener, from which connections inherit it, because the listener may be the service manager's and is
// passed to successors. Before Linux 6.16 there is no such option, and the descriptors are closed when
// they are read.
func refuseFiles(conn *net.UnixConn) {
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 0) })
	}
}
