// Package lateconn makes a *grpc.ClientConn when it is first needed. Making one starts goroutines and takes
// longer than a call over the direct transport, and most clients that have that transport never need it.
package lateconn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// Conn is a *grpc.ClientConn that is made when it is first needed. Until then it looks like one that is idle.
// Its methods may be called concurrently; Close ends it.
type Conn struct {
	dial func() (*grpc.ClientConn, error)
	made atomic.Pointer[grpc.ClientConn] // nil before

	mu     sync.Mutex // held while one is made or closed; guards what follows
	closed bool
}

// New returns a Conn that dial makes. dial does not block.
func New(dial func() (*grpc.ClientConn, error)) *Conn { return &Conn{dial: dial} }

// Get returns the connection, and makes it the first time. After Close it is closed. The error is that of
// dial, which is called again the next time.
func (c *Conn) Get() (*grpc.ClientConn, error) {
	if conn := c.made.Load(); conn != nil {
		return conn, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.made.Load(); conn != nil {
		return conn, nil
	}
	conn, err := c.dial()
	if err != nil {
		return nil, fmt.Errorf("make a client of HTTP/2: %w", err)
	}
	if c.closed {
		conn.Close()
	}
	c.made.Store(conn)
	return conn, nil
}

// errClosing is what grpc returns.
var errClosing = status.Error(codes.Canceled, "grpc: the client connection is closing")

// Close closes the connection, if it was made. Closing again returns grpc's error for that.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := c.closed
	c.closed = true
	if conn := c.made.Load(); conn != nil {
		return conn.Close()
	}
	if again {
		return errClosing
	}
	return nil
}

// GetState returns the state of the connection.
func (c *Conn) GetState() connectivity.State {
	if conn := c.made.Load(); conn != nil {
		return conn.GetState()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return connectivity.Shutdown
	}
	return connectivity.Idle
}

// WaitForStateChange waits until the state is another one, or ctx ends, and reports whether it is another one. It
// makes the connection.
func (c *Conn) WaitForStateChange(ctx context.Context, from connectivity.State) bool {
	conn, err := c.Get()
	if err != nil {
		<-ctx.Done() // it stays idle
		return false
	}
	return conn.WaitForStateChange(ctx, from)
}

// Connect makes the connection leave the idle state.
func (c *Conn) Connect() {
	if conn, err := c.Get(); err == nil {
		conn.Connect()
	}
}

// ResetConnectBackoff has the connection try to connect again now, if it waits for that.
func (c *Conn) ResetConnectBackoff() {
	if conn := c.made.Load(); conn != nil {
		conn.ResetConnectBackoff()
	}
}
