package runtime

import (
	"context"
	"log/slog"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// event writes to the EventLog.
func (c *serverConfig) event(level slog.Level, what string, attrs ...slog.Attr) {
	if c.events != nil {
		c.events.LogAttrs(context.Background(), level, what, attrs...)
	}
}

// logFor returns a logger whose records name the socket; nil for nil, which logs nothing.
func logFor(addr socket.Address, logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return nil
	}
	return logger.With(slog.String("socket", addr.String()))
}

// logNoRings writes to an EventLog, nil for none, why calls stay on their sockets.
func logNoRings(events *slog.Logger, err error) {
	if events != nil {
		events.LogAttrs(context.Background(), slog.LevelWarn, "no shared memory", slog.Any("error", err))
	}
}

// peerAttr describes a peer in a log record.
func peerAttr(p socket.Peer) slog.Attr {
	attrs := []any{}
	if p.HasUID {
		attrs = append(attrs, slog.Int("uid", p.UID), slog.Int("gid", p.GID))
	}
	if p.HasPID {
		attrs = append(attrs, slog.Int("pid", p.PID))
	}
	return slog.Group("peer", attrs...)
}
