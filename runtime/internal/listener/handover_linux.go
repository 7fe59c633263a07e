package listener

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

	"github.com/udsgrpc/udsgrpc/runtime/internal/peercred"
)

// A handover moves a listening socket, and the lock of its path, from the process that owns it to its
// successor. At every moment clients find one of the two. The messages, over a connection to the socket
// itself:
//
//	successor  HandoverRequest
//	owner      wait, if another process has an offer, and later one of the following
//	owner      yes, with the descriptors of the listener and, for a path, lock and socket file
//	           (SCM_RIGHTS); or again, if another process has the listener by now, or it was
//	           withdrawn; or no and the reason
//	successor  ready, when it is about to accept
//	owner      go, and from then on the successor owns it; or again, if it is shutting down or the
//	           listener was withdrawn; or no and the reason
//
// Until it sends go, the owner serves as before, or ends by itself, and nothing that happens to the
// successor changes anything, except the mode and the owner of the file. A successor sets these just before
// it is ready, and restores them unless it is killed. The socket file stays the same one throughout, so
// bind mounts of it stay valid. So does the lock, because it belongs to the open file that both processes
// have.
const (
	handoverWait  = 'W'
	handoverYes   = 'Y'
	handoverAgain = 'A'
	handoverNo    = 'N'
	handoverReady = 'R'
	handoverGo    = 'G'

	// handoverStep is how long a successor waits for the owner in each step. A healthy owner takes less
	// than a millisecond.
	handoverStep = 5 * time.Second

	longestReason = 512
)

// offers are a listener's offers to successors: one at a time, in the order in which they asked.
type offers struct {
	lapse time.Duration // offerTimeout, except in tests
	open  chan struct{} // full while a successor has an offer, and for ever once it has taken over
	taken chan struct{} // closed when a successor has taken over
}

func newOffers() offers {
	return offers{lapse: offerTimeout, open: make(chan struct{}, 1), taken: make(chan struct{})}
}

// HandOver gives the listener to the process at the other end of conn, which has sent HandoverRequest. It
// returns nil when that process has taken over. Then the caller must stop accepting, finish what it has
// accepted, and Close the listener, which no longer changes the socket file or the lock. After any error
// nothing has changed.
//
// Only a process of the same user gets the listener; for others the error wraps [fs.ErrPermission]. One
// process at a time has an offer, and [offerTimeout] to become ready; the next one waits, and so does
// HandOver. When another process has taken over, or the listener was withdrawn, the error wraps
// [net.ErrClosed], and the waiting process is told to ask again. ctx ends the wait and the offer. Linux
// only; elsewhere [sockerr.ErrUnsupported].
func (l *Listener) HandOver(ctx context.Context, conn *net.UnixConn) error {
	err := l.handOver(ctx, conn)
	if err != nil {
		return fmt.Errorf("hand over %s: %w", l.addr, err)
	}
	return nil
}

func (l *Listener) handOver(ctx context.Context, conn *net.UnixConn) error {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	successor, err := peercred.Of(conn)
	if err != nil {
		return err
	}
	if !successor.HasUID || successor.UID != os.Geteuid() {
		return sayNo(conn, fmt.Errorf("%v asked for it, and it is for uid %d: %w", successor, os.Geteuid(), fs.ErrPermission))
	}
	if err := l.beginOffer(ctx, conn); err != nil {
		return err
	}
	if err := l.offer(ctx, conn, successor); err != nil {
		<-l.offers.open
		return err
	}
	close(l.offers.taken)
	return nil
}

// beginOffer waits until no other process has an offer. It returns nil when the listener can be offered to
// the process at the other end of conn.
func (l *Listener) beginOffer(ctx context.Context, conn *net.UnixConn) error {
	select {
	case l.offers.open <- struct{}{}:
		return nil
	case <-l.offers.taken:
		return sayAgain(conn, "it is another process's by now")
	default:
	}
	if _, err := conn.Write([]byte{handoverWait}); err != nil {
		return err
	}
	select {
	case l.offers.open <- struct{}{}:
		return nil
	case <-l.offers.taken:
		return sayAgain(conn, "another process has taken over meanwhile")
	case <-ctx.Done():
		return sayAgain(conn, "the server is shutting down")
	}
}

// sayAgain tells a process to ask again, because another one may have the path.
func sayAgain(conn *net.UnixConn, reason string) error {
	_, err := conn.Write([]byte{handoverAgain})
	return errors.Join(fmt.Errorf("%s: %w", reason, net.ErrClosed), err)
}

// sayNo tells a process why it does not get the listener.
func sayNo(conn *net.UnixConn, reason error) error {
	text := reason.Error()
	conn.Write(append([]byte{handoverNo}, text[:min(len(text), longestReason)]...))
	return reason
}

// offer sends the listener to the successor, and gives it up when the successor is ready.
func (l *Listener) offer(ctx context.Context, conn *net.UnixConn, successor peercred.Credentials) error {
	if ctx.Err() != nil {
		return sayAgain(conn, "the server is shutting down")
	}
	lock, err := l.sendDescriptors(conn)
	if err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(l.offers.lapse)); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(0, 0)) })()
	answer := make([]byte, 1)
	_, err = io.ReadFull(conn, answer)
	switch {
	case ctx.Err() != nil && err != nil:
		return sayAgain(conn, fmt.Sprintf("the server is shutting down, and %v was not ready", successor))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return sayNo(conn, fmt.Errorf("%v was not ready within %v, so the offer has lapsed: %w", successor, l.offers.lapse, err))
	case err != nil:
		return fmt.Errorf("%v has not become ready: %w", successor, err)
	case answer[0] != handoverReady:
		return fmt.Errorf("%v sent %q instead of being ready: %w", successor, answer, fs.ErrInvalid)
	}
	return l.giveAway(conn, lock)
}

// giveAway sends go, if the listener that the successor was sent still has the path. A go cannot be
// undone.
func (l *Listener) giveAway(conn *net.UnixConn, lock *os.File) error {
	if l.claim != nil {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		if l.claim.pin == nil {
			return sayAgain(conn, "the socket was withdrawn meanwhile")
		}
		if l.claim.listener != l.UnixListener || l.claim.lock != lock {
			return sayAgain(conn, "the socket or its lock file was made again meanwhile")
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

// sendDescriptors sends yes, and returns the lock that it has sent.
func (l *Listener) sendDescriptors(conn *net.UnixConn) (lock *os.File, err error) {
	var fds []int
	if l.claim != nil {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		if l.claim.pin == nil {
			return nil, sayAgain(conn, "the server is shutting down")
		}
		if l.claim.lock == nil {
			return nil, sayNo(conn, errors.New("the socket is that of its parent process"))
		}
		if l.claim.listener != l.UnixListener {
			return nil, sayAgain(conn, "the socket has just been made again")
		}
		lock = l.claim.lock
		fds = []int{int(l.claim.lock.Fd()), l.claim.pin.fd}
	}
	// File and Fd would make the listener blocking for all processes that have it, and an accept that
	// blocks cannot be ended.
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
