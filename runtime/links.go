package runtime

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// WithEventLog writes a record for what an operator may want to know of: that the client has
// connected, that its server was lost, and that it cannot connect, and why. Loss is noticed when a
// call meets it. Further connections to a server that is known, and attempts that fail for the same
// reason as the last one, make no record. There is none by default.
func WithEventLog(logger *slog.Logger) DialOption {
	return func(c *dialConfig) { c.events = logger }
}

// links are a client's links to its server, one for each transport.
type links struct {
	events        *slog.Logger // nil for none
	direct, http2 link

	failed, refused atomic.Int64          // attempts to connect; refused are among failed
	trouble         atomic.Pointer[error] // of the last attempt; nil if it came to a server that the policy permits
}

// link is what is known of one transport's connections.
type link struct {
	made, regained atomic.Int64
	lost           atomic.Bool // since the last connection was made
}

// connected takes note of a new connection of HTTP/2, of which there is one at a time.
func (l *links) connectedHTTP2(server socket.Peer) {
	l.trouble.Store(nil)
	l.lose(&l.http2, "http2")
	l.connected(&l.http2, "http2", server)
}

// connectedDirect takes note of a new connection of the direct transport, of which there are many.
func (l *links) connectedDirect(server socket.Peer) { l.connected(&l.direct, "direct", server) }

func (l *links) connected(link *link, transport string, server socket.Peer) {
	again := link.lost.Swap(false)
	if again {
		link.regained.Add(1)
	}
	if link.made.Add(1) == 1 || again {
		l.event(slog.LevelInfo, "connected", slog.String("transport", transport), peerAttr(server))
	}
}

// lostDirect takes note that the server has closed connections of the direct transport.
func (l *links) lostDirect() { l.lose(&l.direct, "direct") }

func (l *links) lose(link *link, transport string) {
	if link.made.Load() > 0 && !link.lost.Swap(true) {
		l.event(slog.LevelInfo, "server lost", slog.String("transport", transport))
	}
}

// fail takes note of an attempt to connect that came to nothing.
func (l *links) fail(err error) {
	last := l.trouble.Swap(&err)
	l.failed.Add(1)
	var untrusted *untrustedServerError
	if errors.As(err, &untrusted) {
		l.refused.Add(1)
	}
	l.lose(&l.http2, "http2")
	// One that was given up, as by Close, says nothing about the server.
	if (last == nil || (*last).Error() != err.Error()) && !errors.Is(err, context.Canceled) {
		l.event(slog.LevelWarn, "cannot connect", slog.Any("error", err))
	}
}

func (l *links) event(level slog.Level, what string, attrs ...slog.Attr) {
	if l.events != nil {
		l.events.LogAttrs(context.Background(), level, what, attrs...)
	}
}
