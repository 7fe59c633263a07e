package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// acquire returns the listener of a server, from the first of the possible sources that has one.
func acquire(ctx context.Context, config *serverConfig, addr socket.Address) (*listener.Listener, error) {
	if l, err := acquireInherited(config, addr); l != nil || err != nil {
		return l, err
	}
	if err := config.auth.checkUnmapped(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l, activated, err := listener.Activated(addr.String())
	if activated || err != nil {
		config.activated = activated
		return l, err
	}
	if config.listen.CreateDir && !addr.IsAbstract() {
		_, err := os.Stat(filepath.Dir(addr.String()))
		config.makesDir = errors.Is(err, fs.ErrNotExist)
	}
	if err := config.checkMode(addr); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	switch {
	case config.takeover && config.standby != nil:
		return takeOverOrStandBy(config.standby, config, addr)
	case config.takeover:
		return takeOver(ctx, config, addr)
	case config.standby != nil:
		l, err := config.listen.Listen(config.standby, addr.String())
		if !errors.Is(err, socket.ErrInUse) {
			return l, err
		}
		config.event(slog.LevelInfo, "standing by")
		return config.listen.ListenStandby(config.standby, addr.String())
	default:
		return config.listen.Listen(ctx, addr.String())
	}
}
