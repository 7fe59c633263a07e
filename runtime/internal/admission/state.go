package admission

import (
	"container/list"
	"net"
)

// State is where a connection is between its two ends.
type State int

const (
	// HalfOpen is a connection whose client has not sent its preface yet. It is closed if its user has too
	// many of them.
	HalfOpen State = iota
	// HTTP2 is a connection that grpc has.
	HTTP2
	// Direct is a connection of the direct transport.
	Direct
	// Declined is a connection whose client asked for the direct transport, of which its user has its
	// share; the client is told to use HTTP/2.
	Declined
	// Handover is a connection of a successor that asks for the listener.
	Handover
	// Viewer is a connection of a viewer, which package inspect has.
	Viewer
	// Closed is a connection that is closed, or about to be, and counts no more.
	Closed
)

// Conn is an accepted connection. The handshake gives grpc the UnixConn itself, as grpc copies what it
// writes to any other type.
type Conn struct {
	*net.UnixConn

	admission *Admission // nil if nothing of the connection is recorded
	user      *user
	state     State         // guarded by admission.mu
	halfOpen  *list.Element // of user.halfOpen, in state HalfOpen
}

// ConnOf returns the Conn that conn is. For any other Unix connection, as when the credentials may be the
// program's, it returns one that is in every state that it begins. It reports false for all else.
func ConnOf(conn net.Conn) (*Conn, bool) {
	switch conn := conn.(type) {
	case *Conn:
		return conn, true
	case *net.UnixConn:
		return &Conn{UnixConn: conn}, true
	default:
		return nil, false
	}
}

// Begin ends the state HalfOpen: what the client wants is known. It returns the new state, which is the
// next one, except Declined if the user has its share of Direct, and Closed if the connection had to make
// room for another one.
func (c *Conn) Begin(next State) State {
	a := c.admission
	if a == nil {
		return next
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.state == HalfOpen {
		if next == Direct && a.directFull(c.user) {
			next = Declined
		}
		a.move(c, next)
	}
	return c.state
}

// Close closes the connection, and gives its user's share back. Closing again does no harm. It must be
// called in every state but HTTP2, in which it need not be.
func (c *Conn) Close() error {
	err := c.UnixConn.Close()
	if a := c.admission; a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.move(c, Closed)
	}
	return err
}

// HandshakeDone is called when the handshake of the connection is over, in whatever way.
func (c *Conn) HandshakeDone() {
	if c.admission != nil {
		c.admission.handshakes.done.Add(1)
	}
}

// accepted puts a connection that was admitted into its first state. The caller holds mu.
func (a *Admission) accepted(c *Conn, first State) {
	c.state = first
	switch first {
	case HalfOpen:
		c.halfOpen = c.user.halfOpen.PushBack(c)
	case HTTP2:
		a.http2 = append(a.http2, c)
	}
}

// move makes all transitions of a connection that was accepted. The caller holds mu.
func (a *Admission) move(c *Conn, to State) {
	if c.state == to || c.state == Closed {
		return
	}
	switch c.state {
	case HalfOpen:
		c.user.halfOpen.Remove(c.halfOpen)
		c.halfOpen = nil
	case Direct:
		a.countDirect(c.user, -1)
	case Viewer:
		a.viewers--
	}
	c.state = to
	switch to {
	case HTTP2:
		a.http2 = append(a.http2, c) // sweep removes it
	case Direct:
		a.countDirect(c.user, 1)
	case Viewer:
		a.viewers++
	case Closed:
		a.count(c.user, -1)
	}
}
