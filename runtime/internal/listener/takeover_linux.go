package listener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/peercred"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// TakeOver asks the process that listens on addr for its listener. The returned Listener does not belong
// to the caller yet: Commit completes the takeover, and Close before that leaves the listener to the
// owner, which serves until then. The owner must be a process of the same user that calls HandOver, as
// every udsgrpc server does.
//
// While another process is taking over from the owner, TakeOver waits for the outcome, until ctx ends. For
// each other step the owner has five seconds.
//
// The error says which step failed and wraps [sockerr.ErrInUse]; the owner then continues to serve. It also
// wraps [net.ErrClosed] if another process has the listener by now, or if it was withdrawn: then start
// again with Listen, which may find the path free. If nobody listens, the error wraps the errno of
// connect(2). Linux only; elsewhere [sockerr.ErrUnsupported].
func (c *Config) TakeOver(ctx context.Context, addr string, dial Dial) (*Listener, error) {
	connecting, cancel := context.WithTimeout(ctx, handoverStep)
	defer cancel()
	conn, err := dial(connecting, addr)
	if err != nil {
		return nil, takeOverError(addr, "connect", err)
	}
	l, err := c.takeOver(ctx, addr, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

func takeOverError(addr, step string, err error) error {
	return fmt.Errorf("take over %s: step %q: %w", addr, step, err)
}

func (c *Config) takeOver(ctx context.Context, addr string, conn *net.UnixConn) (*Listener, error) {
	fail := func(step string, err error) (*Listener, error) {
		return nil, takeOverError(addr, step, fmt.Errorf("%w: the owner goes on serving: %w", sockerr.ErrInUse, err))
	}
	if err := conn.SetDeadline(time.Now().Add(handoverStep)); err != nil {
		return fail("ask the owner", err)
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 0)) })()
	owner, err := peercred.Of(conn)
	if err != nil {
		return fail("identify the owner", err)
	}
	if !owner.HasUID || owner.UID != os.Geteuid() {
		return fail("identify the owner", fmt.Errorf("it is %v, and this process has uid %d: %w", owner, os.Geteuid(), fs.ErrPermission))
	}
	if _, err := io.WriteString(conn, HandoverRequest); err != nil {
		return fail("ask the owner", err)
	}
	answer, err := receiveAnswer(conn)
	if err == nil && answer.kind == handoverWait {
		// The owner is known to be healthy now, and ctx limits the wait.
		if err := conn.SetDeadline(time.Time{}); err != nil || ctx.Err() != nil {
			return fail("wait for the takeover under way", errors.Join(err, ctx.Err()))
		}
		answer, err = receiveAnswer(conn)
		if err != nil && ctx.Err() != nil {
			return fail("wait for the takeover under way", fmt.Errorf("%v serves, and has offered the socket to another process: %w", owner, ctx.Err()))
		}
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%v has not answered yet: %w", owner, ctx.Err())
	}
	if err != nil {
		return fail("receive the listener", err)
	}
	fds, err := answer.descriptors()
	if err != nil {
		return fail("receive the listener", err)
	}
	l, err := c.successor(addr, fds)
	if err != nil {
		return fail("check the listener", err)
	}
	l.owner.Store(conn)
	return l, nil
}

// ownerAnswer is an owner's answer to a successor.
type ownerAnswer struct {
	kind  byte
	text  []byte // that follows
	files []*os.File
}

func receiveAnswer(conn *net.UnixConn) (ownerAnswer, error) {
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(3*4))
	// Only one byte is read, because the next message may follow a wait at once.
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return ownerAnswer{}, fmt.Errorf("the owner has not answered; it may be no udsgrpc server: %w", err)
	}
	answer := ownerAnswer{kind: buf[0]}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for _, m := range messages {
		fds, rightsErr := unix.ParseUnixRights(&m)
		err = errors.Join(err, rightsErr)
		for _, fd := range fds {
			answer.files = append(answer.files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	if err == nil && answer.kind != handoverWait && answer.kind != handoverYes && answer.kind != handoverAgain {
		// It was written at once, so it has arrived.
		answer.text = make([]byte, longestReason)
		n, _ = conn.Read(answer.text)
		answer.text = answer.text[:n]
	}
	if err != nil {
		closeAll(answer.files)
	}
	return answer, err
}

// descriptors returns the descriptors that were sent with a yes.
func (a ownerAnswer) descriptors() ([]*os.File, error) {
	if a.kind == handoverYes && len(a.files) > 0 {
		return a.files, nil
	}
	closeAll(a.files)
	switch a.kind {
	case handoverAgain:
		return nil, fmt.Errorf("the owner has just let go of it: %w", net.ErrClosed)
	case handoverNo:
		return nil, fmt.Errorf("the owner says: %s", a.text)
	default:
		return nil, fmt.Errorf("the owner is no udsgrpc server: it sent %q and %d descriptors", append([]byte{a.kind}, a.text...), len(a.files))
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// successor makes a listener of the descriptors that the owner sent, and checks them first.
func (c *Config) successor(addr string, files []*os.File) (_ *Listener, err error) {
	defer files[0].Close() // net.FileListener duplicates the descriptor
	keep := files[1:]
	defer func() {
		if err != nil {
			closeAll(keep)
		}
	}()
	nl, err := net.FileListener(files[0])
	if err != nil {
		return nil, err
	}
	ul, ok := nl.(*net.UnixListener)
	if !ok {
		nl.Close()
		return nil, fmt.Errorf("it is for network %s", nl.Addr().Network())
	}
	var own *claim
	switch {
	case len(keep) == 0:
	case len(keep) == 2 && !isAbstract(addr):
		own, err = inheritClaim(addr, keep[0], keep[1])
	default:
		err = fmt.Errorf("it came with %d descriptors", len(files))
	}
	if err != nil {
		ul.Close()
		return nil, err
	}
	if own != nil {
		own.listener = ul
	}
	l := newListener(addr, ul, own)
	l.conf = *c
	return l, nil
}

// inheritClaim makes a claim from a lock and a pin.
func inheritClaim(addr string, lock, pinned *os.File) (*claim, error) {
	path, name := filepath.Split(addr)
	d, err := opendir.Open(path)
	if err != nil {
		return nil, err
	}
	if !d.IsStill(LockName(name), lock) {
		d.Close()
		return nil, errors.New("its lock is not that of the path")
	}
	p := &pin{dir: d, name: name}
	if p.fd, err = unix.FcntlInt(pinned.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		err = unix.Fstat(p.fd, &p.stat)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	pinned.Close()
	return &claim{dir: d, name: name, lock: lock, pin: p, theirs: true}, nil
}

// Commit completes TakeOver: when it returns nil, the listener and its path belong to the caller, which
// must accept from then on, and the former owner accepts no more clients. Clients see the caller's
// credentials. After an error, which wraps [sockerr.ErrInUse], the caller must Close the listener. If the error
// also wraps [net.ErrClosed], the owner has let go of the listener, because it is shutting down or has died
// (or this Listener was closed): start again with Listen, which finds the path free when the owner has
// ended. After any other error the owner continues to serve. On every other Listener Commit does nothing.
func (l *Listener) Commit() error {
	l.committing.Lock()
	defer l.committing.Unlock()
	conn := l.owner.Load()
	if conn == nil {
		return nil
	}
	defer l.owner.Store(nil)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(handoverStep)); err != nil {
		return l.commitError("commit", err)
	}
	// If the offer has lapsed, another process may have the path by now, so nothing may be changed.
	if answered(conn) {
		return l.commitError("commit", receiveGo(conn))
	}
	undo, err := l.prepare()
	if err != nil {
		undo()
		return l.commitError("prepare", err)
	}
	if err := l.sendReady(conn); err != nil {
		undo()
		return l.commitError("commit", err)
	}
	if l.claim == nil {
		return nil
	}
	l.claim.mu.Lock()
	defer l.claim.mu.Unlock()
	l.claim.theirs = false
	writePID(l.claim.lock)
	return nil
}

func (l *Listener) commitError(step string, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return takeOverError(l.addr, step, fmt.Errorf("%w: %w", sockerr.ErrInUse, err))
	}
	return takeOverError(l.addr, step, fmt.Errorf("%w: the owner goes on serving: %w", sockerr.ErrInUse, err))
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
	var before unix.Stat_t
	if err := unix.Fstat(pin.fd, &before); err != nil {
		return undo, os.NewSyscallError("fstat", err)
	}
	undo = func() {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		// This process was not allowed to change the rest.
		if l.conf.Owner != nil {
			pin.chown(int(before.Uid), int(before.Gid))
		}
		pin.chmod(before.Mode & 0o7777)
	}
	return undo, pin.apply(&l.conf)
}

// sendReady tells the owner that this process is about to accept, and waits for its go.
func (l *Listener) sendReady(conn *net.UnixConn) error {
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
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
		// An owner that lives says why.
		return fmt.Errorf("the owner has ended: %w: %w", net.ErrClosed, err)
	case err != nil:
		return fmt.Errorf("the owner has not let go: %w", err)
	case answer[0] == handoverAgain:
		return fmt.Errorf("the owner is shutting down, or its socket was made again: %w", net.ErrClosed)
	case answer[0] == handoverNo:
		return fmt.Errorf("the owner says: %s", answer[1:n])
	case answer[0] != handoverGo:
		return fmt.Errorf("the owner sent %q instead of letting go", answer[:n])
	}
	return nil
}
