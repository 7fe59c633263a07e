package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// WithEventLog writes a record for events that matter to an operator: the client has connected, its server
// was lost, or it cannot connect, and why. A loss is noticed when a call meets it. Further connections to
// the same server, and attempts that fail for the same reason as the last one, make no record. There is
// none by default.
func WithEventLog(logger *slog.Logger) DialOption {
	return func(c *dialConfig) { c.events = logger }
}

// links are a client's links to its server, one for each transport.
type links struct {
	silence       error        // why an attempt fails if the server does not answer
	events        *slog.Logger // nil for none
	direct, http2 link

	failed, refused atomic.Int64          // attempts to connect; refused are among failed
	trouble         atomic.Pointer[error] // of the last attempt; nil after a success

	// Of HTTP/2, whose attempts come one after the other:
	handshakes atomic.Int64                // with servers that the policy permits
	greeted    atomic.Pointer[socket.Peer] // the server of the last connection, until it answers
	told       atomic.Pointer[string]      // the trouble that was logged last; nil since a success
}

func newLinks(addr socket.Address, events *slog.Logger) *links {
	return &links{events: logFor(addr, events), silence: fmt.Errorf("%s: %s", addr, unanswered)}
}

// link is the state of one transport's connections.
type link struct {
	made, regained atomic.Int64
	lost           atomic.Bool // since the last connection was made
}

// greet records a connection on which HTTP/2 will be spoken, if the server answers.
func (l *links) greet(server socket.Peer) {
	l.giveUp()
	l.reached()
	l.greeted.Store(&server)
	l.handshakes.Add(1)
}

// reached records that there is a server, which may or may not answer.
func (l *links) reached() { l.trouble.Store(&l.silence) }

// answered records that the server has answered, if it had not before.
func (l *links) answered() {
	if server := l.greeted.Swap(nil); server != nil {
		l.lose(&l.http2, "http2") // the connection before: there is one at a time
		l.connected(&l.http2, "http2", *server)
	}
}

// giveUp is called before another attempt: a server that has not answered will not.
func (l *links) giveUp() {
	if l.greeted.Swap(nil) != nil {
		l.fail(l.silence)
	}
}

// fail records a failed attempt to connect.
func (l *links) fail(err error) {
	l.trouble.Store(&err)
	if errors.Is(err, context.Canceled) {
		return // it was given up, for example by Close, and says nothing about the server
	}
	l.failed.Add(1)
	var untrusted *untrustedServerError
	if errors.As(err, &untrusted) {
		l.refused.Add(1)
	}
	l.lose(&l.http2, "http2")
	reason := err.Error()
	if last := l.told.Swap(&reason); last == nil || *last != reason {
		l.event(slog.LevelWarn, "cannot connect", slog.Any("error", err))
	}
}

// connectedDirect records a new connection of the direct transport, of which there are many.
func (l *links) connectedDirect(server socket.Peer) { l.connected(&l.direct, "direct", server) }

func (l *links) connected(link *link, transport string, server socket.Peer) {
	l.trouble.Store(nil)
	l.told.Store(nil)
	again := link.lost.Swap(false)
	if again {
		link.regained.Add(1)
	}
	if link.made.Add(1) == 1 || again {
		l.event(slog.LevelInfo, "connected", slog.String("transport", transport), peerAttr(server))
	}
}

// lostDirect records that the server has closed connections of the direct transport.
func (l *links) lostDirect() { l.lose(&l.direct, "direct") }

func (l *links) lose(link *link, transport string) {
	if link.made.Load() > 0 && !link.lost.Swap(true) {
		l.event(slog.LevelInfo, "server lost", slog.String("transport", transport))
	}
}

func (l *links) event(level slog.Level, what string, attrs ...slog.Attr) {
	if l.events != nil {
		l.events.LogAttrs(context.Background(), level, what, attrs...)
	}
}
