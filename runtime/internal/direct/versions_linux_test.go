package direct

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// hello reads what the server answers to a preface, up to its end.
func hello(t *testing.T, h *host, lowest, highest byte) string {
	t.Helper()
	client, server := pair(t)
	h.accept(server)
	w := newRawConn(t, client)
	w.send(wire.Preface{Lowest: lowest, Highest: highest}.Append(nil), frame(wire.KindIntro, 0))
	b := make([]byte, wire.AnswerLen)
	if _, err := io.ReadFull(w.in, b); err != nil {
		t.Fatal(err)
	}
	if b[wire.AnswerLen-2] == 0 {
		w.wantClosed()
	}
	return string(b)
}

// The server chooses a version that both speak, and says if there is none. Later clients may speak this
// version as well as others.
func TestServerChoosesTheVersion(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	for _, tc := range []struct {
		lowest, highest byte
		want            string
		reason          string
	}{
		{1, 1, "UDSGRPC-DIRECT\x01\x00", ""},
		{0, 1, "UDSGRPC-DIRECT\x01\x00", ""},
		{1, 255, "UDSGRPC-DIRECT\x01\x00", ""},
		{2, 3, "UDSGRPC-DIRECT\x00\x00", "speaks versions 2 to 3, and this end 1"},
		{0, 0, "UDSGRPC-DIRECT\x00\x00", "speaks versions 0 to 0, and this end 1"},
		{3, 1, "UDSGRPC-DIRECT\x00\x00", "speaks versions 3 to 1, and this end 1"},
	} {
		if got := hello(t, h, tc.lowest, tc.highest); got != tc.want {
			t.Errorf("a client that speaks %d to %d gets %q, want %q", tc.lowest, tc.highest, got, tc.want)
		}
		if tc.reason != "" {
			if err := await(t, "Serve", h.errs); !isViolation(err, tc.reason) {
				t.Errorf("the reason is %v, want %q", err, tc.reason)
			}
		}
	}
}

// A client that begins in another way, or whose introduction is wrong, cannot make calls.
func TestServerClosesConnectionsThatBeginWrongly(t *testing.T) {
	good := wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil)
	for name, tc := range map[string]struct{ sent, reason string }{
		"HTTP/2":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", `begins with "PRI`},
		"no intro":           {string(good) + string(callFrame(unaryMethod, nil)), "introduces itself with a frame of kind 'C'"},
		"intro too long":     {string(good) + string(announce(wire.KindIntro, wire.MaxControl+1)), "1048576 is the limit"},
		"malformed intro":    {string(good) + string(frame(wire.KindIntro)), "ends within a field"},
		"bytes in the intro": {string(good) + string(frame(wire.KindIntro, 0, 0)), "1 bytes too many"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{})
			client, server := pair(t)
			h.accept(server)
			w := newRawConn(t, client)
			w.send([]byte(tc.sent))
			w.wantClosed()
			if err := await(t, "Serve", h.errs); !isViolation(err, tc.reason) {
				t.Errorf("the reason is %v, want %q", err, tc.reason)
			}
		})
	}
}

// The server does not wait for ever for a client's introduction: such a client may only want to hold
// connections.
func TestServerDoesNotWaitForIntroductions(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	client, server := pair(t)
	h.accept(server)
	w := newRawConn(t, client)
	w.send(wire.Preface{Lowest: wire.Version, Highest: wire.Version}.Append(nil))
	w.wantClosed()
}

// wrongServers answer a client's preface differently from any server of this version.
var wrongServers = map[string]func(*net.UnixConn){ // closes the connection at its end
	"no version":      says("UDSGRPC-DIRECT\x00\x00"),
	"another version": says("UDSGRPC-DIRECT\x02\x00"),
	"garbage":         says("hello, who are you?"),
	"HTTP/2 settings": says("\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
	"half a hello":    says("UDSGRPC-DIR"),
	"closes":          says(""),
	"nothing":         func(c *net.UnixConn) { io.Copy(io.Discard, c) },
}

// says returns a function that reads a preface and answers.
func says(answer string) func(*net.UnixConn) {
	return func(c *net.UnixConn) {
		io.CopyN(io.Discard, c, int64(PrefaceLen))
		io.WriteString(c, answer)
	}
}

// Calls to a server that does not speak this protocol go over HTTP/2. The client asks again only when
// HTTP/2 has connected to what may be another server.
func TestClientRemembersServersThatDoNotSpeakThis(t *testing.T) {
	for name, answer := range wrongServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one of them takes as long as the client waits
			runs := make(chan struct{}, 10)
			accept := func(c *net.UnixConn) {
				go func() {
					answer(c)
					c.Close()
					runs <- struct{}{}
				}()
			}
			c, s := newClient(t, accept)
			c.answerTimeout = time.Millisecond // after prefaceTimeout
			for i := range 3 {
				want := ErrHTTP2
				if i == 0 && name == "nothing" { // it may have processed the call that came with the preface
					want = status.Error(codes.Unavailable, "error reading from server: the server did not answer")
				}
				if _, err := invoke(t, c, "x"); !errors.Is(err, want) {
					t.Errorf("the call comes to %v, want %v", err, want)
				}
			}
			if n := s.dialed(); n != 1 {
				t.Errorf("the client connects %d times, want once", n)
			}
			await(t, "the server", runs)

			h := newHost(t, service{}, ServerConfig{})
			s.move(h.accept)
			c.HTTP2Connected() // perhaps to another server than the one that was asked
			mustEcho(t, c, "x")
		})
	}
}

// HTTP/2 may connect while the server is asked, to that one or the next.
func TestAnswerOfTheServerBeforeHTTP2ConnectedDoesNotCount(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	c, s := newClient(t, func(conn *net.UnixConn) {
		go func() {
			close(asked)
			<-answer
			says("hello, who are you?")(conn)
			conn.Close()
		}()
	})
	called := make(chan error, 1)
	go func() {
		_, err := invoke(t, c, "x")
		called <- err
	}()
	await(t, "the client", asked)
	s.move(newHost(t, service{}, ServerConfig{}).accept)
	c.HTTP2Connected()
	close(answer)
	if err := await(t, "the call", called); err != ErrHTTP2 {
		t.Errorf("the call comes to %v, want %v", err, ErrHTTP2)
	}
	mustEcho(t, c, "x")
}

// If there is no server, HTTP/2 reports it; the next call tries again.
func TestClientTriesAgainWhenNobodyWasThere(t *testing.T) {
	c, s := newClient(t, nil)
	for range 2 {
		if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
			t.Errorf("the call comes to %v", err)
		}
	}
	h := newHost(t, service{}, ServerConfig{})
	s.move(h.accept)
	mustEcho(t, c, "x")
	if n := s.dialed(); n != 3 {
		t.Errorf("the client connects %d times", n)
	}
}

// A caller that gives up while the server is asked says nothing about the server.
func TestClientDoesNotHoldImpatienceAgainstAServer(t *testing.T) {
	asked := make(chan struct{})
	c, s := newClient(t, func(conn *net.UnixConn) { close(asked) }) // it never answers
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if err := c.Invoke(ctx, unaryMethod, &blob{}, &blob{}, nil); status.Code(err) != codes.Canceled {
		t.Errorf("the call comes to %v", err)
	}
	h := newHost(t, service{}, ServerConfig{})
	s.move(h.accept)
	mustEcho(t, c, "x")
}

// While it is not known whether the server speaks this protocol, one call finds out for all.
func TestOneCallFindsOutForAll(t *testing.T) {
	release := make(chan struct{})
	ended := make(chan struct{}, 10)
	c, s := newClient(t, func(conn *net.UnixConn) {
		go func() {
			<-release
			says("\x00\x00\x00\x04\x00\x00\x00\x00\x00")(conn)
			conn.Close()
			ended <- struct{}{}
		}()
	})
	const calls = 10
	errs := make(chan error, calls)
	for range calls {
		go func() {
			_, err := invoke(t, c, "x")
			errs <- err
		}()
	}
	fixture.Eventually(t, "a connection", func() bool { return s.dialed() > 0 })
	close(release)
	for range calls {
		if err := await(t, "a call", errs); err != ErrHTTP2 {
			t.Errorf("a call comes to %v", err)
		}
	}
	if n := s.dialed(); n != 1 {
		t.Errorf("the client connects %d times", n)
	}
	await(t, "the server", ended)
}

// The time limit of the handshake also holds for a server that answers byte by byte.
func TestGreetEndsWithItsContext(t *testing.T) {
	client, server := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		io.CopyN(io.Discard, server, int64(PrefaceLen))
		io.WriteString(server, wire.ServerMagic[:3])
		cancel()
	}()
	g := greeting{Conn: client, bytes: appendGreeting(nil, 0, false), closing: t.Context()}
	_, err := g.exchange(ctx)
	if !errors.Is(err, errNoAnswer) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the handshake comes to %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still good")
	}
}

// Close does not wait until a server that hangs has had its time to answer: neither for a call that was sent nor for
// what only connects.
func TestCloseEndsAHandshake(t *testing.T) {
	for name, tc := range map[string]struct {
		call func(*Client) error
		want codes.Code
	}{
		"with a call":    {func(c *Client) error { return tell(c, t.Context(), "x") }, codes.Canceled},
		"without a call": {func(c *Client) error { return c.Connect(t.Context()) }, codes.Unknown}, // ErrHTTP2
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{})
			c, _ := newClient(t, unanswering(t, func(w *rawConn) {
				close(asked)
				io.Copy(io.Discard, w.in)
			}))
			result := make(chan error, 1)
			go func() { result <- tc.call(c) }()
			await(t, "the server", asked)
			start := time.Now()
			c.Close()
			if err := await(t, "the end", result); status.Code(err) != tc.want {
				t.Errorf("it ends with %v", err)
			}
			if d := time.Since(start); d > prefaceTimeout/2 {
				t.Errorf("Close takes effect after %v", d)
			}
		})
	}
}

// A server that says little in another protocol, and then waits, is not waited for.
func TestFewBytesOfAnotherProtocolAreEnough(t *testing.T) {
	over := make(chan struct{})
	c, _ := newClient(t, unanswering(t, func(w *rawConn) {
		io.WriteString(w, "220 hi\r\n")
		<-over
	}))
	c.answerTimeout = time.Hour
	start := time.Now()
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 || !c.plain() {
		t.Errorf("the call comes to %v", err)
	}
	if d := time.Since(start); d > prefaceTimeout/2 {
		t.Errorf("that took %v", d)
	}
	close(over)
}
