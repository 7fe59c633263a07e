package runtime

import (
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
)

// UnaryInterceptor adds interceptors for unary calls. The first is the outermost; those of
// a later option come inside those of an earlier one.
//
// The rule of a call is applied before any of them runs. They see refused calls as well, so that logs and
// metrics do: their next handler then returns the refusal, a codes.PermissionDenied, instead of making the
// call. Whatever they return for it, the call ends with PermissionDenied: with theirs if they return an
// error of that code, else with the refusal. So an interceptor that acts for the caller by itself, without
// calling the next handler, should ask [PeerFromContext] who that is.
//
// grpc runs interceptors given with [GRPCServerOptions]: those of grpc.UnaryInterceptor before all this,
// those of grpc.ChainUnaryInterceptor after it, for calls that are allowed. nil adds nothing.
func UnaryInterceptor(interceptors ...grpc.UnaryServerInterceptor) ServerOption {
	return func(c *serverConfig) {
		for _, i := range interceptors {
			if i != nil {
				c.unary = append(c.unary, i)
			}
		}
	}
}

// StreamInterceptor adds interceptors for streams, in the order of [UnaryInterceptor]. They run for
// refused streams too, which can neither send nor receive messages: both return the refusal. nil adds
// nothing.
func StreamInterceptor(interceptors ...grpc.StreamServerInterceptor) ServerOption {
	return func(c *serverConfig) {
		for _, i := range interceptors {
			if i != nil {
				c.stream = append(c.stream, i)
			}
		}
	}
}

// StatsHandler adds a handler of events such as begin and end of calls; OpenTelemetry's otelgrpc is one.
// nil adds nothing.
func StatsHandler(h stats.Handler) ServerOption {
	return func(c *serverConfig) {
		if h != nil {
			c.stats = append(c.stats, h)
		}
	}
}

// MaxRecvMsgSize sets how many bytes a message from a client may have; a larger one fails
// its call with ResourceExhausted. The default is grpc's, 4 MiB.
func MaxRecvMsgSize(n int) ServerOption {
	return func(c *serverConfig) {
		if n <= 0 {
			c.reject("maximum message size %d: give a number of bytes above zero", n)
		}
		c.maxRecv = n
	}
}

// SendBudget sets how many bytes of messages that clients have not read may wait in this server, in all
// streams of the direct transport; the default is 64 MiB. One stream uses at most 4 MiB of it, plus one
// message of any permitted size. While the budget is used up, SendMsg of a stream that already has
// something waiting waits, which Stats counts. It has no effect on HTTP/2, which has windows instead.
func SendBudget(bytes int) ServerOption {
	return func(c *serverConfig) {
		if bytes <= 0 {
			c.reject("send budget %d: give a number of bytes above zero", bytes)
		}
		c.sendBudget = bytes
	}
}

// MaxConnsPerUser sets how many connections a user may have, so that one user cannot take the place of all
// others. It does not apply to root and to the user of the server, which are limited only by what there
// is. Users that this process cannot tell apart, because they have no number in its user namespace, count
// as one. The default is a quarter of the descriptors that the process may open (RLIMIT_NOFILE). All these
// users together have at most half of the descriptors, and no user gets more connections than are left of
// that half.
//
// Half of a user's connections can be of the direct transport: clients of this package use HTTP/2 beyond
// that. Half can be half-open, before the client has sent its preface: beyond that the oldest is closed. A
// user that has its share, or makes connections far faster than calls could use them, is turned away: the
// new connection is closed at once. [ServerStats] counts that and the EventLog tells of it.
func MaxConnsPerUser(n int) ServerOption {
	return func(c *serverConfig) {
		if n <= 0 {
			c.reject("at most %d connections of a user: give a number above zero", n)
		}
		c.maxConnsPerUser = n
	}
}

// HTTP2Only turns off the direct transport, which carries the calls of clients of this package faster than
// HTTP/2; see docs/direct-transport.md. Those clients notice, and use HTTP/2 as all others do.
func HTTP2Only() ServerOption {
	return func(c *serverConfig) { c.http2Only = true }
}

// SocketOnly makes the direct transport carry all calls over its sockets, and none through shared memory; see
// docs/direct-transport.md. It is for comparisons, and for processes that must not share memory.
func SocketOnly() ServerOption {
	return func(c *serverConfig) { c.socketOnly = true }
}

// rings returns how the direct transport uses shared memory: only with clients of the server's own user.
func (c *serverConfig) rings() direct.Rings {
	own := SameUser()
	return direct.Rings{
		On: !c.socketOnly,
		For: func(client credentials.AuthInfo) bool {
			info, ok := client.(AuthInfo)
			return ok && own.Permits(info.Peer)
		},
		Moved: func(client credentials.AuthInfo) {
			if info, ok := client.(AuthInfo); ok {
				c.event(slog.LevelDebug, "moved to shared memory", peerAttr(info.Peer))
			}
		},
		Failed: func(err error) { logNoRings(c.events, err) },
	}
}

// GRPCServerOptions passes options to [grpc.NewServer] unchanged, after those of this package. It is for
// what this package does not know. Transport credentials given here replace this package's. The direct
// transport does not know them either, so any such option turns it off, as [HTTP2Only] does.
func GRPCServerOptions(opts ...grpc.ServerOption) ServerOption {
	return func(c *serverConfig) { c.raw = append(c.raw, opts...) }
}
