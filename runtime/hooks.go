package runtime

import (
	"context"

	"google.golang.org/grpc/connectivity"
)

// hooks are what a program does when its server comes and goes.
type hooks struct {
	onConnect, onDisconnect []func()
}

// WithOnConnect calls f each time that the client has connected to a server: the first time, and after
// each loss. It is for programs that must introduce themselves to every new server, as device plugins do
// to a kubelet. Calls made from f go to that server.
//
// With it the client keeps itself connected, from Dial on; without it, it connects when a call needs a
// connection. So a service that is started by its socket, as with systemd's socket activation, is started
// at once, and again when it ends. f runs on a goroutine of its own, in turn with that of
// [WithOnDisconnect]; while it runs, the next event waits. It must end when the calls it makes fail, and
// must not call Close, which waits for it.
func WithOnConnect(f func()) DialOption {
	return func(c *dialConfig) { c.hooks.onConnect = append(c.hooks.onConnect, f) }
}

// WithOnDisconnect calls f each time that a connection is lost, including by Close. Everything else is as
// with [WithOnConnect].
func WithOnDisconnect(f func()) DialOption {
	return func(c *dialConfig) { c.hooks.onDisconnect = append(c.hooks.onDisconnect, f) }
}

// follow calls the hooks when connections are made and lost, and keeps the client connected, until ctx
// ends.
func (c *ClientConn) follow(ctx context.Context, h hooks) {
	connected := false // as far as the hooks know
	var seen int64     // which connection that was
	for ctx.Err() == nil {
		state := c.grpc.GetState()
		// The server may have gone and come back since the last check, with the same state.
		latest := c.links.handshakes.Load()
		switch {
		case connected && (state != connectivity.Ready || latest != seen):
			connected = false
			callAll(h.onDisconnect)
			continue // much may have happened in the meantime
		case !connected && state == connectivity.Ready:
			connected, seen = true, latest
			callAll(h.onConnect)
			continue
		case state == connectivity.Idle:
			c.grpc.Connect()
		}
		c.grpc.WaitForStateChange(ctx, state)
	}
	if connected {
		callAll(h.onDisconnect)
	}
}

func callAll(hooks []func()) {
	for _, f := range hooks {
		f()
	}
}
