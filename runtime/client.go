package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/clientstate"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
	"github.com/udsgrpc/udsgrpc/runtime/internal/lateconn"
	"github.com/udsgrpc/udsgrpc/runtime/internal/nofiles"
	"github.com/udsgrpc/udsgrpc/runtime/internal/oldstubs"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// ClientConn is a connection to a server on a Unix domain socket. It connects at the first call, and
// connects again when the server was lost. It is a [grpc.ClientConnInterface], so generated clients use
// it. [Dial], or a generated constructor that calls it, makes one. Its methods may be called concurrently;
// Close ends it.
type ClientConn struct {
	addr    socket.Address
	policy  Policy // of the server
	http2   *lateconn.Conn
	direct  *direct.Client               // nil if there is HTTP/2 only
	because string                       // then it says why
	unary   grpc.UnaryClientInterceptor  // nil if there is none
	stream  grpc.StreamClientInterceptor // nil if there is none
	monitor *clientstate.Monitor         // of the connections
	calls   transportCounter
	facade  oldstubs.Facade // for stubs that take a *grpc.ClientConn
}

// Dial returns a connection to the server on path, in any form that [socket.ParseAddress] reads; a
// relative path is resolved now. Like [grpc.NewClient] it does not connect yet: the server may start
// later. Call WaitReady to wait for it.
//
// While the server is not there, a call fails with codes.Unavailable and the reason: no such file, nobody
// listening, no permission, and so on; with [grpc.WaitForReady] it waits instead. If the
// [WithServerPolicy] refuses the server (by default every one that is neither the caller's own nor
// root's), a call fails with codes.PermissionDenied, and that server sees nothing of it. The error of Dial
// is about the path or the options.
func Dial(path string, opts ...DialOption) (*ClientConn, error) {
	addr, err := socket.ParseAddress(path)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	config, err := newDialConfig(opts)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	config.warn(addr)
	c := &ClientConn{
		addr:    addr,
		policy:  config.policy,
		unary:   chainUnary(config.unary),
		stream:  chainStream(config.stream),
		monitor: config.newMonitor(addr),
		because: config.whyHTTP2(),
	}
	c.direct = config.directClient(addr, c)
	c.http2 = lateconn.New(func() (*grpc.ClientConn, error) {
		return grpc.NewClient(target(addr), config.grpcOptions(c.dial, c.verify)...)
	})
	if c.direct == nil || c.unary != nil || c.stream != nil { // it is needed, and the program's options can be wrong
		if _, err := c.http2.Get(); err != nil {
			return nil, fmt.Errorf("dial %s: %w", addr, err)
		}
	}
	c.monitor.Start(c.http2)
	return c, nil
}

// target is a URL, in which a path may hold any byte. grpc passes it to the dialer unchanged.
func target(addr socket.Address) string {
	return (&url.URL{Scheme: "passthrough", Path: "/" + addr.String()}).String()
}

// dial connects for HTTP/2.
func (c *ClientConn) dial(ctx context.Context, _ string) (net.Conn, error) {
	if err := c.monitor.BeginAttempt(ctx); err != nil {
		return nil, err
	}
	conn, err := (&socket.Dialer{}).DialAddress(ctx, c.addr)
	if err != nil {
		c.monitor.AttemptFailed(err)
		return nil, err
	}
	return conn, nil
}

// dialDirect connects for the direct transport. HTTP/2 reports what goes wrong.
func (c *ClientConn) dialDirect(ctx context.Context) (*net.UnixConn, credentials.AuthInfo, error) {
	conn, err := (&socket.Dialer{}).DialAddress(ctx, c.addr)
	if err != nil {
		c.monitor.DirectFailed(err)
		return nil, nil, err
	}
	info := newAuthInfo(conn)
	if !c.policy.Permits(info.Peer) {
		conn.Close()
		return nil, nil, &UntrustedServerError{c.addr.String(), info.Peer, c.policy}
	}
	c.monitor.DirectAccepted()
	info.Direct = true
	return conn, info, nil
}

// verify refuses a server that the policy does not permit, before HTTP/2 is spoken with it.
func (c *ClientConn) verify(server socket.Peer) error {
	if !c.policy.Permits(server) {
		err := &UntrustedServerError{c.addr.String(), server, c.policy}
		c.monitor.ServerRefused(err)
		return err
	}
	c.monitor.Accepted(server)
	if c.direct != nil {
		c.direct.HTTP2Connected()
	}
	return nil
}

// Path returns the absolute path of the socket, or "@" and the name for an abstract one.
func (c *ClientConn) Path() string { return c.addr.String() }

// Invoke makes a unary call; generated clients call it. See [grpc.ClientConn.Invoke].
func (c *ClientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if c.unary != nil {
		return c.unary(ctx, method, args, reply, c.forInterceptors(), c.invoke, opts...)
	}
	return c.invoke(ctx, method, args, reply, nil, opts...)
}

// invoke makes a unary call over the direct transport if that can carry it.
func (c *ClientConn) invoke(ctx context.Context, method string, args, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
	inTime := ctx.Err() == nil // the direct transport may use up the time
	if c.direct != nil {
		if err := c.direct.Invoke(ctx, method, args, reply, opts); err != direct.ErrHTTP2 {
			c.calls.direct.Add(1)
			return err
		}
	} else if err := filewalk.RefuseOverHTTP2(method, c.because, args); err != nil {
		return err
	}
	return c.overHTTP2(inTime, func(cc *grpc.ClientConn) error { return cc.Invoke(ctx, method, args, reply, opts...) })
}

// forInterceptors returns what interceptors get. It was made with the client.
func (c *ClientConn) forInterceptors() *grpc.ClientConn {
	cc, _ := c.http2.Get()
	return cc
}

// overHTTP2 makes a call, or begins a stream, with grpc. The error of a call whose time was over before
// needs no explanation.
func (c *ClientConn) overHTTP2(inTime bool, call func(*grpc.ClientConn) error) error {
	c.calls.http2.Add(1)
	cc, err := c.http2.Get()
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	c.monitor.AddWaiter()
	defer c.monitor.RemoveWaiter()
	err = call(cc)
	if !inTime {
		return err
	}
	return c.explain(err)
}

// NewStream begins a streaming call; generated clients call it. See
// [grpc.ClientConn.NewStream].
func (c *ClientConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if c.stream != nil {
		return c.stream(ctx, desc, c.forInterceptors(), method, c.newStream, opts...)
	}
	return c.newStream(ctx, desc, nil, method, opts...)
}

func (c *ClientConn) newStream(ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	inTime, because := ctx.Err() == nil, c.because
	if c.direct != nil {
		stream, err := c.direct.NewStream(ctx, desc, method, opts)
		if !errors.Is(err, direct.ErrHTTP2) {
			c.calls.direct.Add(1)
			return stream, err
		}
		because = direct.Because(err)
	}
	var stream grpc.ClientStream
	err := c.overHTTP2(inTime, func(cc *grpc.ClientConn) (err error) {
		stream, err = nofiles.ClientStream(ctx, method, because, func(ctx context.Context) (grpc.ClientStream, error) {
			return cc.NewStream(ctx, desc, method, opts...)
		})
		return err
	})
	return stream, err
}

// WaitReady connects and returns nil once the server has answered. If ctx ends before that, the error
// wraps ctx's and that of the last attempt, which says why the server could not be reached. After Close it
// wraps [net.ErrClosed].
func (c *ClientConn) WaitReady(ctx context.Context) error {
	if c.direct != nil && c.direct.Connect(ctx) == nil {
		return nil
	}
	switch err := c.monitor.AwaitReady(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("wait for the server on %s: %w", c.addr, err)
	default:
		return c.notReady(err)
	}
}

func (c *ClientConn) notReady(cause error) error {
	if err := c.monitor.LastError(); err != nil {
		return fmt.Errorf("wait for the server: %w: %w", cause, err)
	}
	return fmt.Errorf("wait for the server on %s: %w", c.addr, cause)
}

// Close ends the connection and fails running calls with codes.Canceled. If a function that was given to
// [WithOnConnect] or [WithOnDisconnect] runs, Close waits for it. Closing again returns a status of
// codes.Canceled, as grpc's own Close does: nothing was left to close.
func (c *ClientConn) Close() error {
	c.facade.Close()
	if c.direct != nil {
		c.direct.Close()
	}
	err := c.http2.Close()
	c.monitor.Close()
	return err
}
