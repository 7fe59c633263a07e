package listener

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Activated is socket.Activated, which documents it.
func Activated(addr string) (l *Listener, ok bool, err error) {
	l, err = activated(addr)
	if err != nil {
		return nil, false, fmt.Errorf("listen on %s, passed by the service manager: %w", addr, err)
	}
	return l, l != nil, nil
}

// ActivatedAddress is socket.ActivatedAddress, which documents it.
func ActivatedAddress(name string) (addr string, ok bool, err error) {
	addr, ok, err = activatedAddress(name)
	if err != nil {
		return "", false, fmt.Errorf("find the socket that the service manager passed as %q: %w", name, err)
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
