package direct

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// size returns how many connections there are, and how many of them are idle.
func (p *pool) size() (all, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all), len(p.idle)
}

// fillPool makes n connections and returns them in the order in which they became idle.
func fillPool(t *testing.T, c *Client, n int) []*conn {
	t.Helper()
	var conns []*conn
	for range n {
		conn, err := c.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		c.pool.put(conn)
	}
	return conns
}

// The connection that was used last is used next, so that the others can stay idle.
func TestPoolIsLastInFirstOut(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, s := newClient(t, h.accept)
	conns := fillPool(t, c, 3)
	for range 5 {
		mustEcho(t, c, "x")
		if got := c.pool.get(); got != conns[2] {
			t.Error("not the connection that was used last is next")
		} else {
			c.pool.put(got)
		}
	}
	if n := s.dialed(); n != 3 {
		t.Errorf("the client connects %d times", n)
	}
}

// Calls beyond the cap go over HTTP/2, until another call has ended.
func TestPoolCap(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	s := newSite(t, h.accept)
	c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 2})
	defer c.Close()
	a, b := open(t, c, &bothDesc), open(t, c, &bothDesc)
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
		t.Errorf("the third call comes to %v", err)
	}
	if _, err := c.NewStream(t.Context(), &bothDesc, bothMethod, nil); err != ErrHTTP2 {
		t.Errorf("the third stream comes to %v", err)
	}
	a.CloseSend()
	if err := a.RecvMsg(&blob{}); err != io.EOF {
		t.Fatal(err)
	}
	mustEcho(t, c, "x")
	b.CloseSend()
	b.RecvMsg(&blob{})
	if all, idle := c.pool.size(); all != 2 || idle != 2 {
		t.Errorf("there are %d connections, %d idle; want 2", all, idle)
	}
}

// A dial that fails does not count against the cap.
func TestPoolCapCountsWhatIsConnected(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	s := &site{t: t}
	c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 1})
	defer c.Close()
	for range 3 {
		invoke(t, c, "x")
	}
	s.move(h.accept)
	mustEcho(t, c, "x")
}

// Idle connections are closed after a while, and the server's ends with them.
func TestPoolReapsIdleConnections(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	c.pool.sweepEvery = time.Millisecond
	fillPool(t, c, 3)
	fixture.Eventually(t, "the connections to go", func() bool { all, idle := c.pool.size(); return all+idle == 0 })
	for range 3 {
		if err := await(t, "Serve", h.errs); err != nil {
			t.Error(err)
		}
	}
	mustEcho(t, c, "x")
	fixture.Eventually(t, "the new one to go", func() bool { all, _ := c.pool.size(); return all == 0 })
}

// A connection that was used since the last sweep survives the next.
func TestPoolKeepsWhatIsUsed(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c := NewClient(ClientConfig{Dial: newSite(t, h.accept).dial, MaxConns: 100})
	t.Cleanup(c.Close)
	conns := fillPool(t, c, 3)
	c.pool.sweepIdle() // all were used
	if all, _ := c.pool.size(); all != 3 {
		t.Errorf("%d connections survive the first sweep", all)
	}
	mustEcho(t, c, "x") // on the last one
	c.pool.sweepIdle()
	if all, _ := c.pool.size(); all != 1 || c.pool.get() != conns[2] {
		t.Errorf("%d connections survive the second sweep, want the one that was used", all)
	}
}

// A caller does not notice that the server ended while nobody called: nobody has processed the call, and
// the other idle connections are closed too.
func TestDeadIdleConnectionsAreNotNoticed(t *testing.T) {
	for _, desc := range []*grpc.StreamDesc{&unaryDesc, &upDesc, &downDesc, &bothDesc} {
		t.Run("/"+desc.StreamName, func(t *testing.T) {
			old, next := newHost(t, service{}, ServerConfig{}), newHost(t, service{stream: echoOne}, ServerConfig{})
			c, s := newClient(t, old.accept)
			fillPool(t, c, 2*maxTries) // more than could be tried one by one
			old.Stop()
			old.runs.Wait()
			s.move(next.accept)
			if desc == &unaryDesc {
				mustEcho(t, c, "x")
			} else {
				stream := open(t, c, desc)
				if err := stream.SendMsg(&blob{Value: []byte("x")}); err != nil {
					t.Fatal(err)
				}
				stream.CloseSend()
				got := &blob{}
				if err := stream.RecvMsg(got); err != nil || string(got.Value) != "x" {
					t.Errorf("the echo is %q, %v", got.Value, err)
				}
				if err := stream.RecvMsg(got); err != io.EOF {
					t.Error(err)
				}
			}
			if all, idle := c.pool.size(); all != 1 || idle != 1 {
				t.Errorf("there are %d connections, %d idle; want the new one alone", all, idle)
			}
		})
	}
}

// echoOne echoes the first message and reads the rest.
func echoOne(ss grpc.ServerStream) error {
	m := &blob{}
	if err := ss.RecvMsg(m); err != nil {
		return err
	}
	if err := ss.SendMsg(m); err != nil {
		return err
	}
	for {
		if err := ss.RecvMsg(&blob{}); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// Once a server has received a part of a call, nobody knows what it did. The caller gets the error.
func TestCallsThatWereReadAreNotBegunAnew(t *testing.T) {
	c, s := newClient(t, fake(t, func(w *rawConn) { w.skipCall() }))
	_, err := invoke(t, c, "x")
	if status.Code(err) != codes.Unavailable || !strings.HasPrefix(status.Convert(err).Message(), "error reading from server: ") {
		t.Errorf("the call comes to %v", err)
	}
	if n := s.dialed(); n != 1 {
		t.Errorf("the client connects %d times", n)
	}
}

// A client makes no new connection for a while to a server with too many, and then tries again.
func TestFullServers(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{MaxConns: 1})
	hog := h.connect()
	c, s := newClient(t, h.accept)
	for range 3 {
		if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
			t.Errorf("the call comes to %v", err)
		}
	}
	if n := s.dialed(); n != 1 {
		t.Errorf("the client connects %d times", n)
	}
	if err := await(t, "Serve", h.errs); err != errFull {
		t.Errorf("the reason is %v", err)
	}
	hog.Close()
	if err := await(t, "Serve", h.errs); err != nil {
		t.Errorf("the reason is %v", err)
	}
	c.fullUntil.set(-time.Millisecond) // the pause is over
	mustEcho(t, c, "x")
}

// Close ends the running calls, and closes the connection of a dial that ends later.
func TestCloseOfAClient(t *testing.T) {
	t.Run("during calls", func(t *testing.T) {
		entered := make(chan struct{}, 10)
		h := newHost(t, service{unary: func(ctx context.Context, _ *blob) (*blob, error) {
			entered <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}}, ServerConfig{})
		c, _ := newClient(t, h.accept)
		stream, unread := open(t, c, &bothDesc), open(t, c, &bothDesc)
		errs := make(chan error, 2)
		go func() {
			_, err := invoke(t, c, "x")
			errs <- err
		}()
		await(t, "the call", entered)
		go func() { errs <- stream.RecvMsg(&blob{}) }()
		c.Close()
		for range 2 {
			if err := await(t, "a call", errs); status.Code(err) != codes.Canceled || status.Convert(err).Message() != "grpc: the client connection is closing" {
				t.Errorf("a call comes to %v", err)
			}
		}
		await(t, "the end of the stream", stream.Context().Done())
		await(t, "the end of a stream from which nobody receives", unread.Context().Done())
	})
	t.Run("during a dial", func(t *testing.T) {
		dialing, closed := make(chan struct{}), make(chan struct{})
		h := newHost(t, service{}, ServerConfig{})
		c := NewClient(ClientConfig{MaxConns: 1, Dial: func(context.Context) (*net.UnixConn, credentials.AuthInfo, error) {
			close(dialing)
			<-closed
			client, server := pair(t)
			h.accept(server)
			return client, nil, nil
		}})
		errs := make(chan error, 1)
		go func() {
			_, err := invoke(t, c, "x")
			errs <- err
		}()
		await(t, "the dial", dialing)
		c.Close()
		close(closed)
		if err := await(t, "the call", errs); err != ErrHTTP2 {
			t.Errorf("the call comes to %v", err)
		}
		if err := await(t, "the server", h.errs); err != nil {
			t.Error(err)
		}
	})
	t.Run("then calls", func(t *testing.T) {
		h := newHost(t, service{}, ServerConfig{})
		c, s := newClient(t, h.accept)
		mustEcho(t, c, "x")
		c.Close()
		if _, err := invoke(t, c, "x"); err != ErrHTTP2 || s.dialed() != 1 {
			t.Errorf("a call comes to %v after %d dials", err, s.dialed())
		}
	})
}

// An idle connection holds no buffer: a client may have hundreds of connections.
func TestIdleConnectionsHoldNoBuffer(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	mustEcho(t, c, strings.Repeat("x", 100<<10))
	mustEcho(t, c, "x")
	conn := c.pool.get()
	defer c.pool.put(conn)
	if conn.rd.HoldsBuffer() {
		t.Error("it holds a buffer to read into")
	}
	if n := cap(conn.out) + cap(conn.scratch); n > 2*keepIdle {
		t.Errorf("it holds %d bytes to write from", n)
	}
}
