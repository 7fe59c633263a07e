package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Commit completes TakeOver: when it returns nil, the listener and its path belong to the caller, which
// must accept from then on, and the former owner accepts no more clients. Clients see the caller's
// credentials. After an error, which wraps [ErrInUse], the owner continues to serve, and the caller must
// Close the listener. On every other Listener Commit does nothing.
func (l *Listener) Commit() error {
	conn := l.owner.Load()
	if conn == nil {
		return nil
	}
	defer l.owner.Store(nil)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(handoverStep)); err != nil {
		return takeOverError(l.addr, "commit", fmt.Errorf("%w: the owner goes on serving: %w", ErrInUse, err))
	}
	// If the offer has lapsed, another process may have the path by now, so nothing may be changed.
	if answered(conn) {
		return takeOverError(l.addr, "commit", fmt.Errorf("%w: the owner goes on serving: %w", ErrInUse, receiveGo(conn)))
	}
	undo, err := l.prepare()
	if err != nil {
		undo()
		return takeOverError(l.addr, "prepare", fmt.Errorf("%w: the owner goes on serving: %w", ErrInUse, err))
	}
	if err := l.commit(conn); err != nil {
		undo()
		return takeOverError(l.addr, "commit", fmt.Errorf("%w: the owner goes on serving: %w", ErrInUse, err))
	}
	if l.claim == nil {
		return nil
	}
	l.claim.mu.Lock()
	defer l.claim.mu.Unlock()
	if l.claim.pin == nil {
		return takeOverError(l.addr, "commit", net.ErrClosed)
	}
	l.claim.theirs = false
	writePID(l.claim.lock)
	return nil
}

// prepare does everything that can fail while the owner still serves, because nothing can be undone after
// the owner's go. undo restores the owner's file.
func (l *Listener) prepare() (undo func(), err error) {
	undo = func() {}
	if l.claim == nil {
		return undo, nil
	}
	l.claim.mu.Lock()
	defer l.claim.mu.Unlock()
	pin := l.claim.pin
	if pin == nil {
		return undo, net.ErrClosed
	}
	var before unix.Stat_t
	if err := unix.Fstat(pin.fd, &before); err != nil {
		return undo, os.NewSyscallError("fstat", err)
	}
	undo = func() {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		if l.claim.pin != pin {
			return // closed in the meantime
		}
		// This process was not allowed to change the rest.
		if l.conf.Owner != nil {
			pin.chown(int(before.Uid), int(before.Gid))
		}
		pin.chmod(before.Mode & 0o7777)
	}
	return undo, pin.apply(&l.conf)
}

func (l *Listener) commit(conn *net.UnixConn) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	// A second listen(2) makes the kernel name this process to clients.
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = unix.Listen(int(fd), backlog) }); err != nil || listenErr != nil {
		return errors.Join(err, listenErr)
	}
	if _, err := conn.Write([]byte{handoverReady}); err != nil {
		return errors.Join(err, receiveGo(conn))
	}
	return receiveGo(conn)
}

// answered reports whether the owner has answered, or hung up, before the successor was ready.
func answered(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	waiting := false
	err = raw.Control(func(fd uintptr) {
		_, _, recvErr := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		waiting = errors.Is(recvErr, unix.EAGAIN) || errors.Is(recvErr, unix.EINTR)
	})
	return err != nil || !waiting
}

// receiveGo returns nil when the owner has given the listener up.
func receiveGo(conn *net.UnixConn) error {
	answer := make([]byte, 1+longestReason)
	n, err := conn.Read(answer)
	switch {
	case err != nil:
		return fmt.Errorf("the owner has not let go: %w", err)
	case answer[0] == handoverNo:
		return fmt.Errorf("the owner says: %s", answer[1:n])
	case answer[0] != handoverGo:
		return fmt.Errorf("the owner sent %q instead of letting go", answer[:n])
	}
	return nil
}
