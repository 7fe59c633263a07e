package greetertest

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// ConnCounter is a [stats.Handler] that counts connections.
type ConnCounter struct{ Begun, Ended atomic.Int64 }

// TagRPC implements [stats.Handler].
func (*ConnCounter) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements [stats.Handler].
func (*ConnCounter) HandleRPC(context.Context, stats.RPCStats) {}

// TagConn implements [stats.Handler].
func (*ConnCounter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements [stats.Handler].
func (c *ConnCounter) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		c.Begun.Add(1)
	case *stats.ConnEnd:
		c.Ended.Add(1)
	}
}
