package oldstubs

import (
	"context"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Facade is a *grpc.ClientConn that passes its calls on to another connection. It is made when first
// needed. The zero value can be used. Its methods may be called concurrently.
type Facade struct {
	mu     sync.Mutex // guards what follows
	conn   *grpc.ClientConn
	closed bool // no connection is made any more
}

// Of returns the facade of conn, which must always be the same.
func (f *Facade) Of(conn grpc.ClientConnInterface) (*grpc.ClientConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, fmt.Errorf("make a client: %w", net.ErrClosed)
	case f.conn != nil:
		return f.conn, nil
	}
	facade, err := newFacade(conn)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	f.conn = facade
	return facade, nil
}

// newFacade returns a connection that stays idle: none of its calls gets past the interceptors, which have
// what the calls themselves have.
func newFacade(conn grpc.ClientConnInterface) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///facade",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // must be given
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return conn.Invoke(ctx, method, req, reply, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, _ grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return conn.NewStream(ctx, desc, method, opts...)
		}),
	)
}

// Close ends the facade, which has a goroutine. It does not end calls: they belong to the other connection.
func (f *Facade) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.conn != nil {
		f.conn.Close()
	}
}
