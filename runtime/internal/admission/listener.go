package admission

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Serve calls serve with a listener that accepts from l the connections that are admitted, and returns its
// result. Several may run at once. Unless [Config] says that handshakes are not seen, the connections are
// *[Conn]; HandshakeDone has to be called for each.
func (a *Admission) Serve(l *net.UnixListener, serve func(net.Listener) error) error {
	accepting := &listener{UnixListener: l, admission: a}
	defer accepting.dropSpare()
	return serve(accepting)
}

// listener accepts connections that are admitted. One goroutine calls Accept.
type listener struct {
	*net.UnixListener
	admission *Admission
	spare     []*os.File // nil if there is none; owned by the accepting goroutine
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, uid, err := l.acceptOne()
		if err != nil {
			l.admission.notAccepted(err)
			return nil, err
		}
		if conn == nil {
			continue
		}
		var next net.Conn
		if user := l.admission.admit(uid, time.Now()); user != nil {
			next = l.enter(user, conn)
		} else {
			conn.Close()
			next = l.shed()
		}
		if next != nil && !l.admission.taken(next) {
			return next, nil
		}
	}
}

// taken reports whether a connection is not for grpc.
func (a *Admission) taken(conn net.Conn) bool {
	c, ok := conn.(*Conn)
	return ok && a.config.Taken != nil && a.config.Taken(c)
}

func (l *listener) enter(u *user, conn *net.UnixConn) net.Conn {
	refuseFiles(conn)
	return l.admission.enter(u, conn)
}

// notAccepted reports a failure after which grpc silently tries again: most likely the process has no
// descriptor left. Then attempts may succeed and fail in turn.
func (a *Admission) notAccepted(err error) {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) { // closed, or withdrawn
		return
	}
	a.config.NotAccepted(err, a.reports.allow(time.Now()))
}

// reportPause is how often a lasting problem is reported.
const reportPause = time.Minute

// throttle says when a lasting problem is to be reported. Its method may be called concurrently.
type throttle struct {
	last atomic.Pointer[time.Time] // nil if there was none
}

func (t *throttle) allow(now time.Time) bool {
	last := t.last.Load()
	return (last == nil || now.Sub(*last) > reportPause) && t.last.CompareAndSwap(last, &now)
}
