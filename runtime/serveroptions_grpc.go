package runtime

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// UnaryInterceptor adds interceptors for unary calls. The first is the outermost; those of
// a later option come inside those of an earlier one.
//
// Which rule holds for a call, and whether it lets the caller in, is decided before any of them runs.
// They see refused calls as well, so that logs and metrics do: their next handler then returns the
// refusal, a codes.PermissionDenied, instead of making the call. Whatever they return for it, the
// call ends with PermissionDenied: with theirs if they return an error of that code, else with the
// refusal. So an interceptor that acts for the caller by itself, without calling the next handler,
// should ask [PeerFromContext] who that is.
//
// Interceptors given with [GRPCServerOptions] are grpc's affair: those of grpc.UnaryInterceptor run
// before all this, those of grpc.ChainUnaryInterceptor after it, for calls that are allowed.
func UnaryInterceptor(interceptors ...grpc.UnaryServerInterceptor) ServerOption {
	return func(c *serverConfig) { c.unary = append(c.unary, interceptors...) }
}

// StreamInterceptor adds interceptors for streams, in the order of [UnaryInterceptor], and run for
// refused ones likewise. Of a refused stream they cannot receive messages, nor send any: both return
// the refusal.
func StreamInterceptor(interceptors ...grpc.StreamServerInterceptor) ServerOption {
	return func(c *serverConfig) { c.stream = append(c.stream, interceptors...) }
}

// StatsHandler adds a handler of events such as begin and end of calls; OpenTelemetry's
// otelgrpc is one.
func StatsHandler(h stats.Handler) ServerOption {
	return func(c *serverConfig) { c.stats = append(c.stats, h) }
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

// SendBudget sets how many bytes of messages may wait in this server, over all streams of the direct transport,
// because clients have not read them; the default is 64 MiB. One stream has 4 MiB of it at most, and one
// message of any permitted size. While the budget is used up, SendMsg of a stream that has something waiting
// waits, which Stats counts. It has no effect on HTTP/2, which has windows instead.
func SendBudget(bytes int) ServerOption {
	return func(c *serverConfig) {
		if bytes <= 0 {
			c.reject("send budget %d: give a number of bytes above zero", bytes)
		}
		c.sendBudget = bytes
	}
}

// MaxConnsPerUser sets how many connections a user may have, and so keeps one user from taking the place of
// all others. It does not apply to root and to the user of the server, who are limited by what
// there is; users that this process cannot tell apart, because they have no number in its user namespace,
// count as one. The default is a quarter of the descriptors that the process may open
// (RLIMIT_NOFILE), as long as all these users together do not have half of them: what is left of that half
// is always more than what the user has that asks for another.
//
// Half of a user's connections can be of the direct transport: clients of this package use HTTP/2 beyond
// that. Half can be half-open, before the client has said what it speaks: beyond that the oldest is
// closed. Whoever has its share, or makes connections far faster than calls could use them, is turned away:
// the new connection is closed at once. [ServerStats] counts that and the EventLog tells of it.
func MaxConnsPerUser(n int) ServerOption {
	return func(c *serverConfig) {
		if n <= 0 {
			c.reject("at most %d connections of a user: give a number above zero", n)
		}
		c.maxConnsPerUser = n
	}
}

// HTTP2Only turns the direct transport off, which carries the calls of clients of this package
// faster than HTTP/2 does; see docs/direct-transport.md. Those clients notice, and use HTTP/2 as
// all others do.
func HTTP2Only() ServerOption {
	return func(c *serverConfig) { c.http2Only = true }
}

// GRPCServerOptions passes options to [grpc.NewServer] as they are, after those of this
// package. It is for what this package does not know; transport credentials given here
// replace this package's. The direct transport cannot know them either, so with any it is off, as
// with [HTTP2Only].
func GRPCServerOptions(opts ...grpc.ServerOption) ServerOption {
	return func(c *serverConfig) { c.raw = append(c.raw, opts...) }
}
