package runtime

import (
	"context"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// acquire gets the listener of a server: the first that one of its possible sources has.
func acquire(ctx context.Context, config *serverConfig, addr socket.Address) (*socket.Listener, error) {
	return config.listen.Listen(ctx, addr.String())
}
