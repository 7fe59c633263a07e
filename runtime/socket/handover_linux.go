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
//	owner  wait, if another process has an offer, and later one of the following
//	owner  yes, with the descriptors of the listener and, for a path, lock and socket file
//	       (SCM_RIGHTS); or again, if the listener is another process's by now, or was withdrawn;
//	       or no and the reason
//	heir   ready, when it is about to accept
//	owner  go, and from then on it is the heir's; or no and the reason
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

	handoverWait  = 'W'
	handoverYes   = 'Y'
	handoverAgain = 'A'
	handoverNo    = 'N'
	handoverReady = 'R'
	handoverGo    = 'G'

	// handoverStep is how long an heir waits for the owner in each step; an owner that is well
	// takes less than a millisecond.
	handoverStep = 5 * time.Second

	longestReason = 512
)

// offers are a listener's offers to successors: one at a time, in the order in which they asked.
type offers struct {
	lapse time.Duration // OfferTimeout, but in tests
	open  chan struct{} // full while one has an offer, and for good once it is taken
	taken chan struct{} // closed when one has taken over
}

func newOffers() offers {
	return offers{lapse: OfferTimeout, open: make(chan struct{}, 1), taken: make(chan struct{})}
}

// HandOver gives the listener to the process at the other end of conn, which has sent
// HandoverRequest. It returns nil when that process has taken over: then the caller must stop
// accepting, finish what it has accepted, and Close the listener, which from then on leaves the
// socket file and the lock alone. With any error nothing has changed.
//
// Only a process of the same user gets the listener; the error wraps [fs.ErrPermission] for
// others. One gets it at a time, and has [OfferTimeout] to be ready; the next one waits, and so does
// HandOver. When another process has taken over, or the listener was withdrawn, the error wraps
// [net.ErrClosed], and who waited is told to ask again. ctx ends the wait and the offer. Linux only;
// elsewhere [ErrUnsupported].
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
	heir, err := PeerOf(conn)
	if err != nil {
		return err
	}
	if !heir.HasUID || heir.UID != os.Geteuid() {
		return refuse(conn, fmt.Errorf("%v asked for it, and it is for uid %d: %w", heir, os.Geteuid(), fs.ErrPermission))
	}
	if err := l.awaitTurn(ctx, conn); err != nil {
		return err
	}
	if err := l.offer(ctx, conn, heir); err != nil {
		<-l.offers.open
		return err
	}
	close(l.offers.taken)
	return nil
}

// awaitTurn returns nil when the listener can be offered to the process at the other end of conn.
func (l *Listener) awaitTurn(ctx context.Context, conn *net.UnixConn) error {
	select {
	case l.offers.open <- struct{}{}:
		return nil
	case <-l.offers.taken:
		return sendAgain(conn, "it is another process's by now")
	default:
	}
	if _, err := conn.Write([]byte{handoverWait}); err != nil {
		return err
	}
	select {
	case l.offers.open <- struct{}{}:
		return nil
	case <-l.offers.taken:
		return sendAgain(conn, "another process has taken over meanwhile")
	case <-ctx.Done():
		return sendAgain(conn, "the server is shutting down")
	}
}

// sendAgain tells a process to ask again, when somebody else may have the path.
func sendAgain(conn *net.UnixConn, reason string) error {
	_, err := conn.Write([]byte{handoverAgain})
	return errors.Join(fmt.Errorf("%s: %w", reason, net.ErrClosed), err)
}

func refuse(conn *net.UnixConn, reason error) error {
	text := reason.Error()
	conn.Write(append([]byte{handoverNo}, text[:min(len(text), longestReason)]...))
	return reason
}

// offer sends the listener to the heir, and lets go of it when the heir is ready.
func (l *Listener) offer(ctx context.Context, conn *net.UnixConn, heir Peer) error {
	if ctx.Err() != nil {
		return sendAgain(conn, "the server is shutting down")
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
		return refuse(conn, fmt.Errorf("the server is shutting down, and %v was not ready: %w", heir, err))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(conn, fmt.Errorf("%v was not ready within %v, so the offer has lapsed: %w", heir, l.offers.lapse, err))
	case err != nil:
		return fmt.Errorf("%v has not become ready: %w", heir, err)
	case answer[0] != handoverReady:
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

// sendDescriptors says yes, and returns the lock that it has sent.
func (l *Listener) sendDescriptors(conn *net.UnixConn) (lock *os.File, err error) {
	var fds []int
	if l.claim != nil {
		l.claim.mu.Lock()
		defer l.claim.mu.Unlock()
		if l.claim.pin == nil {
			return nil, sendAgain(conn, "the server is shutting down")
		}
		if l.claim.lock == nil {
			return nil, refuse(conn, errors.New("the socket is that of its parent process"))
		}
		if l.claim.listener != l.UnixListener {
			return nil, sendAgain(conn, "the socket has just been made anew")
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
