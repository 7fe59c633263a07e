package interop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// http2Preface is enough of what every HTTP/2 client begins with.
const http2Preface = "PRI * HTTP/2.0"

// tap is a socket that passes everything on to another one, and takes note of what clients
// speak. It is how a row knows that the transport it means to test is the one in use.
type tap struct {
	server   string
	listener *net.UnixListener
	owner    sync.WaitGroup

	mu    sync.Mutex
	http2 int // connections that began as HTTP/2 does
	other int // and otherwise: with the direct transport's preface
	mute  int // of the latter, those that got no answer before the client gave up
	open  map[*net.UnixConn]bool
}

// tap listens for clients of the server on path until the end of the row.
func (c *cell) tap(server string) (t *tap, path string) {
	c.Helper()
	path = socketPath(c)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		c.Fatalf("%v", err)
	}
	t = &tap{server: server, listener: l, open: map[*net.UnixConn]bool{}}
	t.owner.Go(t.accept)
	c.Cleanup(func() {
		l.Close()
		t.mu.Lock()
		for conn := range t.open {
			conn.Close()
		}
		t.mu.Unlock()
		t.owner.Wait()
	})
	return t, path
}

func (t *tap) accept() {
	for {
		client, err := t.listener.AcceptUnix()
		if err != nil {
			return
		}
		server, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: t.server, Net: "unix"})
		if err != nil {
			client.Close()
			continue
		}
		t.mu.Lock()
		t.open[client], t.open[server] = true, true
		t.mu.Unlock()
		t.owner.Go(func() { t.pass(client, server) })
	}
}

// pass ends both connections when one end hangs up: for gRPC in any form it is over then.
func (t *tap) pass(client, server *net.UnixConn) {
	began := time.Now()
	first := make([]byte, len(http2Preface))
	answered := true
	var replies sync.WaitGroup
	n, err := io.ReadFull(client, first)
	if err == nil {
		_, err = server.Write(first)
	}
	if err == nil {
		replies.Go(func() {
			answered = copyReplies(client, server)
			client.Close()
			server.Close()
		})
		if copyRequests(server, client) {
			server.Close()
			client.Close()
		}
	}
	replies.Wait()
	client.Close()
	server.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, client)
	delete(t.open, server)
	switch {
	case bytes.HasPrefix(first, []byte(http2Preface)):
		t.http2++
	case n > 0:
		t.other++
		// A client that gives up sooner is in a hurry of its own, as that of
		// timeout_on_sleeping_server is.
		if !answered && time.Since(began) > 500*time.Millisecond {
			t.mute++
		}
	}
}

// copyRequests reports whether it ended because the client has hung up. A server that reads no
// more may have said why, and the client is to read that.
func copyRequests(server, client *net.UnixConn) bool {
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return true
		}
		if _, err := server.Write(b[:n]); err != nil {
			return false
		}
	}
}

// copyReplies reports whether the server has answered: has sent something, or hung up itself.
func copyReplies(client, server *net.UnixConn) bool {
	answer := make([]byte, 1)
	if _, err := io.ReadFull(server, answer); err != nil {
		return !errors.Is(err, net.ErrClosed)
	}
	if _, err := client.Write(answer); err == nil {
		_, _ = io.Copy(client, server)
	}
	return true
}

func (t *tap) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open) == 0
}

// spoken checks what the clients have spoken: HTTP/2, the direct transport, or both because they
// have tried the one before the other.
func (c *cell) spoken(t *tap, http2, direct bool) {
	c.Helper()
	c.waitFor("the clients to hang up", t.idle)
	t.mu.Lock()
	defer t.mu.Unlock()
	hurried := 0
	if direct && !http2 {
		// The client of timeout_on_sleeping_server may give up finding out, and go on as if in vain.
		hurried = 1
	}
	c.check((t.http2 > hurried) == http2 && (t.other > 0) == direct,
		"%d connections spoke HTTP/2 and %d the direct transport; want HTTP/2: %t, direct: %t", t.http2, t.other, http2, direct)
	c.check(t.mute == 0, "%d times the server did not answer the direct transport's preface", t.mute)
}
