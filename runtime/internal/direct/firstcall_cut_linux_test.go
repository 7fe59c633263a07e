package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// cutter passes on bytes, as socat does, until it has had so many of them.
type cutter struct {
	up, down int // how many it passes on
	drops    int // how many more it reads of what the client sends
}

// accept cuts the first connection. Others lead to the server itself.
func (k cutter) accept(t testing.TB, h *host, runs *sync.WaitGroup) func(*net.UnixConn) {
	var cut bool
	return func(client *net.UnixConn) {
		if cut {
			runs.Go(func() { acceptAny(h, client) })
			return
		}
		cut = true
		inner, server := pair(t)
		h.accept(server)
		runs.Go(func() {
			defer client.Close()
			defer inner.Close()
			for _, c := range []*net.UnixConn{client, inner} {
				c.SetDeadline(time.Now().Add(fixture.Guard))
			}
			var back sync.WaitGroup
			back.Go(func() { io.CopyN(client, inner, int64(k.down)) })
			io.CopyN(inner, client, int64(k.up))
			back.Wait()
			io.CopyN(io.Discard, client, int64(k.drops))
		})
	}
}

// acceptAny serves a connection, as far as that takes to show that the server also speaks HTTP/2.
func acceptAny(h *host, c *net.UnixConn) {
	preface := make([]byte, PrefaceLen)
	c.SetDeadline(time.Now().Add(fixture.Guard))
	if _, err := io.ReadFull(c, preface); err != nil {
		h.t.Errorf("there is no preface: %v", err)
	}
	if IsPreface(preface) {
		c.SetDeadline(time.Time{})
		h.errs <- h.Serve(c, preface, nil)
		return
	}
	defer c.Close()
	io.WriteString(c, http2Greeting[PrefaceLen:])
	io.Copy(io.Discard, c)
}

// Wherever something in between cuts the connection, no call runs twice: if it is to go over HTTP/2, it has not run,
// and will not.
func TestCallThatMayHaveRunDoesNotGoOverHTTP2(t *testing.T) {
	var mu sync.Mutex
	ran := map[string]int{}
	h := newHost(t, service{unary: func(_ context.Context, m *blob) (*blob, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[string(m.Value)]++
		return m, nil
	}}, ServerConfig{})
	var proxies sync.WaitGroup
	results := map[string]error{}
	greeting := len(appendGreeting(nil, 0, false))
	whole := greeting + len(unaryCall("12345"))
	for up := greeting - 3; up <= whole; up++ {
		for _, down := range []int{0, 1, wire.AnswerLen - 1, wire.AnswerLen, wire.AnswerLen + 1, wire.AnswerLen + 10} {
			if up < whole && down > wire.AnswerLen {
				continue // which never comes
			}
			for _, reads := range []bool{false, true} {
				if up < whole && down > 0 && !reads {
					continue // the same
				}
				content := fmt.Sprintf("%05d", len(results))
				k := cutter{up: up, down: down}
				if reads {
					k.drops = whole - up
				}
				if up < greeting {
					k.down = 0
				}
				c, _ := newClient(t, k.accept(t, h, &proxies))
				results[content] = tell(c, t.Context(), content)
				c.Close()
			}
		}
	}
	proxies.Wait()
	h.Drain()
	mu.Lock()
	defer mu.Unlock()
	kinds := map[string]int{}
	for content, err := range results {
		n := ran[content]
		if n > 1 || errors.Is(err, ErrHTTP2) && n > 0 || err == nil && n == 0 {
			t.Errorf("a call that comes to %v has run %d times", err, n)
		}
		kinds[fmt.Sprintf("%v %d", status.Code(err), n)]++
	}
	// Unknown is ErrHTTP2.
	for _, kind := range []string{"Unknown 0", "Unavailable 0", "Unavailable 1"} {
		if kinds[kind] == 0 {
			t.Errorf("no call comes to %s: %v", kind, kinds)
		}
	}
}

// Something in between may lose the answer to a call that was processed, and then find no server for other connections.
// When it closes them it may have read what came on them, or not.
func TestCallThatMayHaveRunIsNotUnprocessedBecauseTheServerHasGone(t *testing.T) {
	for name, give := range map[string]func(*net.UnixConn){
		"it connects first": func(client *net.UnixConn) { io.ReadFull(client, make([]byte, 1)) }, // the rest has arrived, too
		"it reads first":    func(client *net.UnixConn) { client.Read(make([]byte, 64<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ran, conns atomic.Int32
			processed := make(chan struct{})
			h := newHost(t, service{unary: func(_ context.Context, m *blob) (*blob, error) {
				ran.Add(1)
				close(processed)
				return m, nil
			}}, ServerConfig{})
			proxy := func(client *net.UnixConn) {
				defer client.Close()
				client.SetDeadline(time.Now().Add(fixture.Guard))
				if conns.Add(1) > 1 {
					give(client)
					return
				}
				inner, server := pair(t)
				defer inner.Close()
				h.accept(server)
				io.CopyN(inner, client, int64(len(appendGreeting(nil, 0, false))+len(unaryCall("x"))))
				await(t, "the call", processed)
			}
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fixture.FreePath(t), Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			var proxies sync.WaitGroup
			proxies.Go(func() {
				for {
					client, err := l.AcceptUnix()
					if err != nil {
						return
					}
					proxies.Go(func() { proxy(client) })
				}
			})
			c := NewClient(ClientConfig{MaxConns: 1, Dial: func(context.Context) (*net.UnixConn, credentials.AuthInfo, error) {
				conn, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
				return conn, nil, err
			}})
			defer c.Close()
			if err := tell(c, t.Context(), "x"); status.Code(err) != codes.Unavailable {
				t.Errorf("the call comes to %v, want Unavailable", err)
			}
			l.Close()
			proxies.Wait()
			if n := ran.Load(); n != 1 {
				t.Errorf("the call has run %d times", n)
			}
		})
	}
}
