package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"

	"github.com/udsgrpc/udsgrpc/runtime/internal/clientstate"
	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// connectParams are for a server on the same machine: an attempt costs microseconds, so there is no reason
// to wait long before the next. grpc's own are made for data centres: after a minute and a half without a
// server a client takes 23 s (median) to notice its return.
//
// MinConnectTimeout has to be set with them, because it would become zero. It is how long a server may
// take to accept and answer.
var connectParams = grpc.ConnectParams{
	Backoff: backoff.Config{
		BaseDelay:  20 * time.Millisecond,
		Multiplier: 1.6,
		Jitter:     0.2,
		MaxDelay:   500 * time.Millisecond,
	},
	MinConnectTimeout: 5 * time.Second,
}

// DialOption changes how a [ClientConn] is made.
type DialOption func(*dialConfig)

type dialConfig struct {
	policy     Policy
	unary      []grpc.UnaryClientInterceptor
	stream     []grpc.StreamClientInterceptor
	stats      []stats.Handler
	maxRecv    int
	maxFiles   maxFiles
	sendBudget int
	events     *slog.Logger // nil for none
	raw        []grpc.DialOption

	onConnect, onDisconnect []func()

	http2Only, socketOnly bool

	err error
}

func newDialConfig(opts []DialOption) (dialConfig, error) {
	c := dialConfig{policy: Any(SameUser(), Root())}
	for _, opt := range opts {
		if opt != nil {
			opt(&c)
		}
	}
	if c.err != nil {
		return c, c.err
	}
	return c, c.settlePolicy()
}

// settlePolicy looks up the names in the policy, and refuses one that never permits a server.
func (c *dialConfig) settlePolicy() error {
	policy, err := c.policy.resolved()
	if err != nil {
		return fmt.Errorf("the server's policy: %w", err)
	}
	c.policy = policy
	if policy.unmapped == whole {
		return unmappedError(policy)
	}
	return nil
}

// warn logs to the EventLog a policy that permits less than it seems to.
func (c *dialConfig) warn(addr socket.Address) {
	if events := logFor(addr, c.events); events != nil && c.policy.unmapped != none {
		events.LogAttrs(context.Background(), slog.LevelWarn, "rule for an unmapped user",
			slog.String("rule", c.policy.String()), slog.String("reason", unmappedReason()))
	}
}

// grpcOptions returns the options for grpc.NewClient. The caller's own options come last and so override
// the others.
func (c *dialConfig) grpcOptions(dial func(context.Context, string) (net.Conn, error), verify func(socket.Peer) error) []grpc.DialOption {
	opts := []grpc.DialOption{
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(transportCredentials{verify: verify}),
		// nginx, grpc-js and Rust's h2 refuse a path as the authority.
		grpc.WithAuthority("localhost"),
		grpc.WithConnectParams(connectParams),
		grpc.WithIdleTimeout(0), // otherwise a connection that this end has closed would look like the loss of the server
		grpc.WithStaticStreamWindowSize(http2Window),
		grpc.WithStaticConnWindowSize(http2Window),
	}
	for _, h := range c.stats {
		opts = append(opts, grpc.WithStatsHandler(h))
	}
	if c.maxRecv > 0 {
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.maxRecv)))
	}
	return append(opts, c.raw...)
}

// newMonitor returns the monitor of the client's connections.
func (c *dialConfig) newMonitor(addr socket.Address) *clientstate.Monitor {
	return clientstate.New(clientstate.Config{
		Log:        logFor(addr, c.events),
		PeerAttr:   peerAttr,
		Unanswered: unansweredError{addr},
		Watch: func(ctx context.Context, changed func()) error {
			return socket.Watch(ctx, addr, changed)
		},
		OnConnect:    c.onConnect,
		OnDisconnect: c.onDisconnect,
	})
}

// maxDirectConns is how many connections of the direct transport a client has at most, and so how many
// calls it carries at once. Further calls share HTTP/2's connection. With 1,000 callers, 1,024 connections
// made two to three times as many calls as 256 did and HTTP/2 for the rest; a server needs 6 KiB for each.
const maxDirectConns = 1024

// directClient returns the client of the direct transport; nil if that is turned off, or cannot honour the
// options given for grpc.
func (c *dialConfig) directClient(addr socket.Address, of *ClientConn) *direct.Client {
	if c.whyHTTP2() != "" {
		return nil
	}
	monitor := of.monitor
	return direct.NewClient(direct.ClientConfig{
		Dial:       of.dialDirect,
		Connected:  func(info credentials.AuthInfo) { monitor.DirectConnected(info.(AuthInfo).Peer) },
		Lost:       monitor.DirectLost,
		HTTP2Ready: monitor.Ready,
		Stats:      c.stats,
		MaxRecv:    c.maxRecv,
		MaxConns:   min(maxDirectConns, descriptors.Limit()/4),
		Budget:     int64(c.sendBudget),

		MaxFiles: c.maxFiles.get(),
		Rings: direct.Rings{
			On:     !c.socketOnly,
			Failed: func(err error) { logNoRings(logFor(addr, c.events), err) },
		},
		Unanswered: of.explainUnanswered,
		Unreachable: func(why error) error {
			monitor.DirectGaveUp(why, isUntrusted(why))
			return unreachable(why)
		},
	})
}

// whyHTTP2 returns why there is no direct transport, to be read after "because"; "" if there is.
func (c *dialConfig) whyHTTP2() string {
	switch {
	case c.http2Only:
		return "the client has the option WithHTTP2Only"
	case len(c.raw) > 0:
		return "the client has options given to WithGRPCDialOptions, which the direct transport does not know"
	case !direct.Supported:
		return "there is no direct transport on this operating system"
	}
	return ""
}

// WithServerPolicy sets which servers the client trusts; the default is Any(SameUser(), Root()). It is
// checked on every new connection, before anything is sent, so a stranger that has taken the path gets
// nothing. The kernel reports the user of the server at the moment when it began to listen; for a socket
// that a service manager passed on, that is the manager.
//
// Where the system does not report it (Windows, and a custom dialer that makes other connections) every
// policy but [Anyone] refuses. Dial fails if the policy names a user or group that is unknown, or if it
// can permit nobody in this user namespace; see [AllowUserName] and [SameUser].
func WithServerPolicy(p Policy) DialOption {
	return func(c *dialConfig) { c.policy = p }
}

// WithUnaryInterceptor adds interceptors for unary calls. The first is the outermost; those
// of a later option come inside those of an earlier one. nil adds nothing.
func WithUnaryInterceptor(interceptors ...grpc.UnaryClientInterceptor) DialOption {
	return func(c *dialConfig) {
		for _, i := range interceptors {
			if i != nil {
				c.unary = append(c.unary, i)
			}
		}
	}
}

// WithStreamInterceptor adds interceptors for streams, in the order of
// [WithUnaryInterceptor]. nil adds nothing.
func WithStreamInterceptor(interceptors ...grpc.StreamClientInterceptor) DialOption {
	return func(c *dialConfig) {
		for _, i := range interceptors {
			if i != nil {
				c.stream = append(c.stream, i)
			}
		}
	}
}

// WithStatsHandler adds a handler of events such as begin and end of calls; OpenTelemetry's otelgrpc is
// one. nil adds nothing.
func WithStatsHandler(h stats.Handler) DialOption {
	return func(c *dialConfig) {
		if h != nil {
			c.stats = append(c.stats, h)
		}
	}
}

// WithMaxRecvMsgSize sets how many bytes a message from the server may have; a larger one
// fails its call with ResourceExhausted. The default is grpc's, 4 MiB.
func WithMaxRecvMsgSize(n int) DialOption {
	return func(c *dialConfig) {
		if n <= 0 {
			c.err = errors.Join(c.err, fmt.Errorf("maximum message size %d: give a number of bytes above zero: %w", n, fs.ErrInvalid))
		}
		c.maxRecv = n
	}
}

// WithSendBudget sets how many bytes of messages that the server has not read may wait in this client, in
// all its streams of the direct transport; the default is 64 MiB. One stream uses at most 4 MiB of it,
// plus one message of any permitted size. While the budget is used up, SendMsg of a stream that already
// has something waiting waits, which Stats counts. It has no effect on HTTP/2, which has windows instead.
func WithSendBudget(bytes int) DialOption {
	return func(c *dialConfig) {
		if bytes <= 0 {
			c.err = errors.Join(c.err, fmt.Errorf("send budget %d: give a number of bytes above zero: %w", bytes, fs.ErrInvalid))
		}
		c.sendBudget = bytes
	}
}

// WithEventLog writes a record for events that matter to an operator: the client has connected, its server
// was lost, or it cannot connect, and why. A loss is noticed when a call meets it. Further connections to
// the same server, and attempts that fail for the same reason as the last one, make no record. There is
// none by default.
func WithEventLog(logger *slog.Logger) DialOption {
	return func(c *dialConfig) { c.events = logger }
}

// WithOnConnect calls f each time that the client has connected to a server: the first time, and after
// each loss. It is for programs that must introduce themselves to every new server, as device plugins do
// to a kubelet. Calls made from f go to that server.
//
// With it the client keeps itself connected, from Dial on; without it, it connects when a call needs a
// connection. So a service that is started by its socket, as with systemd's socket activation, is started
// at once, and again when it ends. f runs on a goroutine of its own, in turn with that of
// [WithOnDisconnect]; while it runs, the next event waits. It must end when the calls it makes fail, and
// must not call Close, which waits for it. A nil f adds nothing.
func WithOnConnect(f func()) DialOption {
	return func(c *dialConfig) {
		if f != nil {
			c.onConnect = append(c.onConnect, f)
		}
	}
}

// WithOnDisconnect calls f each time that a connection is lost, including by Close. Everything else is as
// with [WithOnConnect].
func WithOnDisconnect(f func()) DialOption {
	return func(c *dialConfig) {
		if f != nil {
			c.onDisconnect = append(c.onDisconnect, f)
		}
	}
}

// WithHTTP2Only turns off the direct transport, which carries calls to servers of this package faster than
// HTTP/2; see docs/direct-transport.md.
func WithHTTP2Only() DialOption {
	return func(c *dialConfig) { c.http2Only = true }
}

// WithSocketOnly makes the direct transport carry all calls over its sockets, and none through shared memory; see
// docs/direct-transport.md. It is for comparisons, and for processes that must not share memory.
func WithSocketOnly() DialOption {
	return func(c *dialConfig) { c.socketOnly = true }
}

// WithGRPCDialOptions passes options to [grpc.NewClient] unchanged, after those of this package. It is for
// what this package does not know. A dialer or transport credentials given here replace this package's.
// The direct transport does not know them either, so any such option turns it off, as [WithHTTP2Only]
// does.
func WithGRPCDialOptions(opts ...grpc.DialOption) DialOption {
	return func(c *dialConfig) { c.raw = append(c.raw, opts...) }
}
