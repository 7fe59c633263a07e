package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A handover moves a listening socket, and the lock that goes with its path, from the process
// that owns it to its heir, without a moment at which a client finds nobody. Over a connection
// to the socket itself:
//
//	heir   HandoverRequest
//	owner  yes, with the descriptors of the listener and, for a path, lock and socket file
//	       (SCM_RIGHTS), or no and the reason
//	heir   ready, when it is about to accept
//	owner  go, and from then on it is the heir's
//
// Up to go the owner serves as ever, and whatever happens to the heir changes nothing, but for mode and
// owner of the file, which an heir sets just before it is ready, and sets back unless it is killed. The
// socket file stays the same one throughout, so bind mounts of it stay good; so does the
// lock, which belongs to the open file that both have.
const (
	// HandoverRequest is what an heir sends first. It is as long as HTTP/2's preface, so that
	// a server that expects that answers, by hanging up, instead of waiting for more; and it
	// begins with another letter, so that one byte tells the two apart.
	HandoverRequest = "UDSGRPC-HANDOVER/1.0\r\n\r\n"

	handoverYes   = 'Y'
	handoverNo    = 'N'
	handoverReady = 'R'
	handoverGo    = 'G'

	// handoverStep is how long an heir waits for the owner in each step; an owner that is well
	// takes less than a millisecond.
	handoverStep = 5 * time.Second

	longestReason = 512
)

// HandOver gives the listener to the process at the other end of conn, which has sent
// HandoverRequest. It returns nil when that process has taken over: then the caller must stop
// accepting, finish what it has accepted, and Close the listener, which from then on leaves the
// socket file and the lock alone. With any error nothing has changed.
//
// Only a process of the same user gets the listener; the error wraps [fs.ErrPermission] for
// others. ctx ends the wait for the heir to be ready. One handover at a time: another
// heir is told no. Linux only; elsewhere [ErrUnsupported].
func (l *Listener) HandOver(ctx context.Context, conn *net.UnixConn) error {
	err := l.handOver(ctx, conn)
	if err != nil {
		return fmt.Errorf("hand over %s: %w", l.addr, err)
	}
	return nil
}

func (l *Listener) handOver(ctx context.Context, conn *net.UnixConn) error {
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 0)) })()
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	heir, err := PeerOf(conn)
	if err != nil {
		return err
	}
	if !heir.HasUID || heir.UID != os.Geteuid() {
		return refuse(conn, fmt.Errorf("%v asked for it, and it is for uid %d: %w", heir, os.Geteuid(), fs.ErrPermission))
	}
	if !l.handing.TryLock() {
		return refuse(conn, errors.New("another process is taking over already"))
	}
	if err := l.offer(conn, heir); err != nil {
		l.handing.Unlock()
		return err
	}
	// It stays locked: what was given away cannot be given again.
	return nil
}

// offer sends the listener to the heir, and lets go of it when the heir is ready.
func (l *Listener) offer(conn *net.UnixConn, heir Peer) error {
	lock, err := l.sendDescriptors(conn)
	if err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("%v has not become ready: %w", heir, err)
	}
	if answer[0] != handoverReady {
		return fmt.Errorf("%v sent %q instead of being ready: %w", heir, answer, fs.ErrInvalid)
	}
	return l.giveAway(conn, lock)
}

// giveAway says go, if what the heir has been sent still is what has the path. From a go that was
// sent there is no way back.
func (l *Listener) giveAway(conn *net.UnixConn, lock *os.File) error {
	if l.claim != nil {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		if l.claim.pin == nil {
			return errors.New("the socket was withdrawn meanwhile")
		}
		if l.claim.listener != l.UnixListener || l.claim.lock != lock {
			return errors.New("the socket or its lock file was made anew meanwhile: try again")
		}
	}
	if _, err := conn.Write([]byte{handoverGo}); err != nil {
		return err
	}
	if l.claim != nil {
		l.claim.theirs = true
	}
	return nil
}

func refuse(conn *net.UnixConn, reason error) error {
	text := reason.Error()
	conn.Write(append([]byte{handoverNo}, text[:min(len(text), longestReason)]...))
	return reason
}

// sendDescriptors says yes, and returns the lock that it has sent.
func (l *Listener) sendDescriptors(conn *net.UnixConn) (lock *os.File, err error) {
	var fds []int
	if l.claim != nil {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		if l.claim.pin == nil {
			return nil, refuse(conn, errors.New("the server is shutting down"))
		}
		if l.claim.lock == nil {
			return nil, refuse(conn, errors.New("the socket is that of its parent process"))
		}
		if l.claim.listener != l.UnixListener {
			return nil, refuse(conn, errors.New("the socket has just been made anew: try again"))
		}
		lock = l.claim.lock
		fds = []int{int(l.claim.lock.Fd()), l.claim.pin.fd}
	}
	// Not by way of File and Fd: they make the listener blocking, for all who have it, and an
	// accept that blocks cannot be ended.
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		rights := unix.UnixRights(append([]int{int(fd)}, fds...)...)
		_, _, sendErr = conn.WriteMsgUnix([]byte{handoverYes}, rights, nil)
	})
	return lock, errors.Join(err, sendErr)
}

// TakeOver asks the process that listens on path for its listener. The Listener that it
// returns is not yet the caller's: Commit makes it so, and Close before that leaves it to the
// owner, who serves all the while. The owner must be a process of the same user, and one that
// calls HandOver, as every udsgrpc server does.
//
// The error says which step failed and wraps [ErrInUse]; the owner then goes on serving.
// If nobody listens, it wraps the errno of connect(2). Linux only; elsewhere [ErrUnsupported].
func (c *ListenConfig) TakeOver(ctx context.Context, path string) (*Listener, error) {
	addr, err := ParseAddress(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handoverStep)
	defer cancel()
	conn, err := (&Dialer{}).DialAddress(ctx, addr)
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

func takeOverError(addr Address, step string, err error) error {
	return fmt.Errorf("take over %s: step %q: %w", addr, step, err)
}

func (c *ListenConfig) takeOver(ctx context.Context, addr Address, conn *net.UnixConn) (*Listener, error) {
	fail := func(step string, err error) (*Listener, error) {
		return nil, takeOverError(addr, step, fmt.Errorf("%w: the owner goes on serving: %w", ErrInUse, err))
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 0)) })()
	owner, err := PeerOf(conn)
	if err != nil {
		return fail("identify the owner", err)
	}
	if !owner.HasUID || owner.UID != os.Geteuid() {
		return fail("identify the owner", fmt.Errorf("it is %v, and this process has uid %d: %w", owner, os.Geteuid(), fs.ErrPermission))
	}
	if _, err := io.WriteString(conn, HandoverRequest); err != nil {
		return fail("ask the owner", err)
	}
	fds, err := receiveDescriptors(conn)
	if err != nil {
		return fail("receive the listener", err)
	}
	l, err := c.heir(addr, fds)
	if err != nil {
		return fail("check the listener", err)
	}
	l.owner.Store(conn)
	return l, nil
}

// receiveDescriptors reads the owner's answer.
func receiveDescriptors(conn *net.UnixConn) ([]*os.File, error) {
	buf, oob := make([]byte, 1+longestReason), make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("the owner has not answered; it may be no udsgrpc server: %w", err)
	}
	var files []*os.File
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for _, m := range messages {
		fds, rightsErr := unix.ParseUnixRights(&m)
		err = errors.Join(err, rightsErr)
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	switch {
	case err != nil:
	case buf[0] == handoverNo:
		err = fmt.Errorf("the owner says: %s", buf[1:n])
	case buf[0] != handoverYes || len(files) == 0:
		err = fmt.Errorf("the owner is no udsgrpc server: it sent %q and %d descriptors", buf[:n], len(files))
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// heir makes a listener of what the owner sent, after a look whether it is what it should be.
func (c *ListenConfig) heir(addr Address, files []*os.File) (_ *Listener, err error) {
	defer files[0].Close() // net.FileListener makes a descriptor of its own
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
	case len(keep) == 2 && !addr.IsAbstract():
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

// inheritClaim makes a claim of a lock and a pin.
func inheritClaim(addr Address, lock, pinned *os.File) (*claim, error) {
	path, name := addr.split()
	d, err := openDir(path)
	if err != nil {
		return nil, err
	}
	if !d.isStill(lockName(name), lock) {
		d.close()
		return nil, errors.New("its lock is not that of the path")
	}
	p := &pin{}
	if p.fd, err = unix.FcntlInt(pinned.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		err = unix.Fstat(p.fd, &p.stat)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	pinned.Close()
	return &claim{dir: d, name: name, lock: lock, pin: p, theirs: true}, nil
}
