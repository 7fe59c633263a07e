package socket

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Activated returns a listener on addr that the service manager has passed to this process, by the
// protocol of systemd's socket activation (sd_listen_fds(3)): LISTEN_PID is this process, and one of the
// LISTEN_FDS descriptors from 3 on is a listening stream socket that is bound to addr. A path also matches
// when it leads to the same socket file, as /var/run/app.sock does to /run/app.sock. It reports false if
// there is none, as in a program that was started in another way; then call [Listen].
//
// The socket remains the manager's. Mode and owner are what the manager gave it, the directory is not
// checked, and no lock is taken. Its file is never removed: [Listener.Withdraw] and [Listener.Close] only
// stop accepting, and clients that connect later wait in the queue for the next process that the manager
// starts. After Close, Activated can return the socket again, in this process too. While it is open, a
// second call returns [ErrInUse].
//
// All passed descriptors are marked close-on-exec. Those that are not sockets, or are bound elsewhere, are
// left to the rest of the program, and so are the variables. It is an error if the variables are invalid,
// or if the socket that is bound to addr cannot be used: another kind of socket, or a connection, as units
// with Accept=yes get.
//
// On Windows it always reports false.
func Activated(addr Address) (l *Listener, ok bool, err error) {
	l, err = activated(addr)
	if err != nil {
		return nil, false, fmt.Errorf("listen on %s, passed by the service manager: %w", addr, err)
	}
	return l, l != nil, nil
}

// ActivatedAddress returns the address of the Unix domain socket that the service manager has passed under
// a name: FileDescriptorName= of the unit or, without that, the unit's own name, as in "app.socket". So
// the unit can decide where a program listens:
//
//	addr, ok, err := socket.ActivatedAddress("app")
//	…
//	srv, err := runtime.NewServer(addr.String())
//
// It reports false if no socket of that name was passed, as in a program that was started in another way.
// It is an error if several sockets have the name, if there are not as many names as descriptors, or if
// the variables are invalid. On Windows it always reports false.
func ActivatedAddress(name string) (addr Address, ok bool, err error) {
	addr, ok, err = activatedAddress(name)
	if err != nil {
		return Address{}, false, fmt.Errorf("find the socket that the service manager passed as %q: %w", name, err)
	}
	return addr, ok, nil
}

// passed is a descriptor of the service manager's that a listener of this process uses.
type passed struct {
	fd        int
	withdrawn atomic.Bool
}

var passedInUse = struct {
	mu  sync.Mutex
	fds map[int]bool
}{fds: map[int]bool{}}

// take marks the descriptor as used. It reports false if it was used already: two listeners would take
// each other's clients.
func (p *passed) take() bool {
	passedInUse.mu.Lock()
	defer passedInUse.mu.Unlock()
	if passedInUse.fds[p.fd] {
		return false
	}
	passedInUse.fds[p.fd] = true
	return true
}

func (p *passed) release() {
	passedInUse.mu.Lock()
	defer passedInUse.mu.Unlock()
	delete(passedInUse.fds, p.fd)
}

// withdraw stops l from accepting. The name stays, so clients keep coming, and a server that accepted them
// all would never finish. In the queue they are safe.
func (p *passed) withdraw(l *net.UnixListener) error {
	p.withdrawn.Store(true)
	if err := l.SetDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
