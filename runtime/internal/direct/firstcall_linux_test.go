package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// unanswering returns a function that accepts connections, reads a client's preface and introduction, and leaves
// the answer to script. It closes the connection at the end.
func unanswering(t testing.TB, script func(*rawConn)) func(*net.UnixConn) {
	var runs sync.WaitGroup
	t.Cleanup(runs.Wait)
	return func(c *net.UnixConn) {
		runs.Go(func() {
			defer c.Close()
			w := newRawConn(t, c)
			if _, err := io.CopyN(io.Discard, w.in, int64(PrefaceLen)); err != nil {
				return
			}
			if k, _, err := w.next(); err != nil || k != wire.KindIntro {
				return
			}
			script(w)
		})
	}
}

// welcome answers a client's preface.
func (w *rawConn) welcome() { w.Write(wire.Answer{Version: wire.Version}.Append(nil)) }

// respond answers a call with what it was sent.
func (w *rawConn) respond(content string) { w.Write(concat(messageFrame(content), okFrame)) }

// The whole call is there before the server answers, on later connections too.
func TestCallGoesWithThePreface(t *testing.T) {
	accept := unanswering(t, func(w *rawConn) {
		w.want(wire.KindCall)
		w.want(wire.KindMessage)
		w.want(wire.KindEnd)
		w.welcome()
		w.respond("x")
		// One call, and then the connection is idle until the server hangs up.
		if w.skipCall() {
			w.respond("y")
		}
	})
	c, s := newClient(t, accept)
	for range 2 {
		mustEcho(t, c, "x")
		mustEcho(t, c, "y")
		conn := c.pool.get()
		c.pool.drop(conn)
	}
	if n := s.dialed(); n != 2 {
		t.Errorf("the client connects %d times", n)
	}
}

// What needs more than a small message, or what is not known before the answer, waits for that.
func TestCallsThatDoNotGoWithThePreface(t *testing.T) {
	files := func(c *Client) error {
		return c.Invoke(t.Context(), unaryMethod, &blob{}, &udsgrpcv1.File{}, nil)
	}
	for name, tc := range map[string]struct {
		conf ClientConfig
		call func(*Client) error
	}{
		"stats handlers":      {conf: ClientConfig{Stats: handlers{statsFuncs{}}}},
		"files in the answer": {call: files},
		"a large message":     {call: func(c *Client) error { return tell(c, t.Context(), strings.Repeat("x", copyLimit)) }},
		"a lot of metadata": {call: func(c *Client) error {
			return tell(c, metadata.AppendToOutgoingContext(t.Context(), "k", strings.Repeat("v", firstCallLimit)), "x")
		}},
		"a stream": {call: func(c *Client) error {
			s, err := c.NewStream(t.Context(), &downDesc, downMethod, nil)
			return errors.Join(err, s.SendMsg(&blob{}), s.CloseSend(), receiveEnd(s))
		}},
		"among many that connect": {call: func(c *Client) error { c.pool.dials += firstCalls; return tell(c, t.Context(), "x") }},
		"WaitReady":               {call: func(c *Client) error { return errors.Join(c.Connect(t.Context()), tell(c, t.Context(), "x")) }},
		"a wrong message":         {call: func(c *Client) error { return wrongMessage(c, t.Context()) }},
		"after an unknown end":    {call: func(c *Client) error { c.unsure.Store(true); return tell(c, t.Context(), "x") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, unanswering(t, func(w *rawConn) {
				w.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // within which a call would have come
				if k, _, err := w.next(); err == nil {
					t.Errorf("a frame of kind %q comes before the answer", k)
				}
				w.SetReadDeadline(time.Time{})
				w.welcome()
				if w.skipCall() {
					w.Write(concat(frame(wire.KindMessage), okFrame))
					w.skipCall()
				}
			}))
			tc.conf.Dial, tc.conf.MaxConns = s.dial, 2*firstCalls
			c := NewClient(tc.conf)
			defer c.Close()
			if tc.call == nil {
				tc.call = func(c *Client) error { return tell(c, t.Context(), "x") }
			}
			if err := tc.call(c); err != nil {
				t.Errorf("the call comes to %v", err)
			}
		})
	}
}

// tell makes a call whose answer does not matter.
func tell(c *Client, ctx context.Context, content string) error {
	return c.Invoke(ctx, unaryMethod, &blob{Value: []byte(content)}, &blob{}, nil)
}

// wrongMessage fails as over an old connection.
func wrongMessage(c *Client, ctx context.Context) error {
	err := c.Invoke(ctx, unaryMethod, &blob{Value: make([]byte, 2)}, &blob{}, []grpc.CallOption{grpc.MaxCallSendMsgSize(1)})
	if status.Code(err) != codes.ResourceExhausted {
		return fmt.Errorf("a message that is too large comes to %w", err)
	}
	return nil
}

func receiveEnd(s grpc.ClientStream) error {
	for {
		if err := s.RecvMsg(&blob{}); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// Something that reads the call and hangs up without an answer may have passed it on, as far as the client knows, if a
// server answers behind it. One such call fails. No other goes with the preface before a server has answered.
func TestCallIsLostWithTheConnectionBeforeTheAnswer(t *testing.T) {
	var losing atomic.Bool
	losing.Store(true)
	c, s := newClient(t, unanswering(t, func(w *rawConn) {
		if losing.Swap(false) {
			w.skipCall()
		} else {
			w.welcome()
		}
	}))
	if _, err := invoke(t, c, "x"); status.Code(err) != codes.Unavailable {
		t.Errorf("the call comes to %v", err)
	}
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 || s.dialed() != 2 {
		t.Errorf("soon after that a call comes to %v after %d dials", err, s.dialed())
	}
	c.HTTP2Connected() // then the server is asked again
	hangUp, hungUp := plainServer(t)
	s.move(hangUp)
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 {
		t.Errorf("another that hangs up makes that the call comes to %v", err)
	}
	await(t, "the server", hungUp)
	c.HTTP2Connected()
	s.move(newHost(t, service{}, ServerConfig{}).accept)
	mustEcho(t, c, "x")
	if c.unsure.Load() {
		t.Error("calls do not go with the preface though a server answers")
	}
}

// plainServer returns a function that accepts connections as net/http does when it speaks HTTP/2 only: it hangs up
// whatever else comes, without a byte. It tells of the preface of this protocol.
func plainServer(t testing.TB) (accept func(*net.UnixConn), asked <-chan struct{}) {
	var runs sync.WaitGroup
	t.Cleanup(runs.Wait)
	told := make(chan struct{}, 10)
	return func(c *net.UnixConn) {
		runs.Go(func() {
			defer c.Close()
			w := newRawConn(t, c)
			preface := make([]byte, PrefaceLen)
			if _, err := io.ReadFull(w.in, preface); err != nil {
				return
			}
			if IsPreface(preface) {
				w.CloseWrite()
				told <- struct{}{}
			} else {
				w.Write([]byte(http2Greeting[PrefaceLen:]))
			}
			io.Copy(io.Discard, w.in) // so that nothing is unread, and the end no reset
		})
	}, told
}

// A server that hangs up whatever comes, without a byte, and speaks HTTP/2, is none of this protocol.
func TestCallGoesOverHTTP2IfTheServerHangsUpOnAnyPreface(t *testing.T) {
	accept, _ := plainServer(t)
	c, s := newClient(t, accept)
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 || s.dialed() != 3 {
		t.Errorf("the call comes to %v after %d dials, want %v after 3", err, s.dialed(), ErrHTTP2)
	}
	if _, err := invoke(t, c, "x"); err != ErrHTTP2 || s.dialed() != 3 {
		t.Errorf("the next call comes to %v after %d dials, want %v after 3", err, s.dialed(), ErrHTTP2)
	}
}

// A server that is not there any more may have processed the call before.
func TestCallIsLostIfNobodyAnswersAnyMore(t *testing.T) {
	s := newSite(t, unanswering(t, func(w *rawConn) { w.skipCall() }))
	c := NewClient(ClientConfig{MaxConns: 100, Dial: func(ctx context.Context) (*net.UnixConn, credentials.AuthInfo, error) {
		if s.dialed() > 0 {
			return nil, nil, syscall.ECONNREFUSED
		}
		return s.dial(ctx)
	}})
	defer c.Close()
	if _, err := invoke(t, c, "x"); status.Code(err) != codes.Unavailable {
		t.Errorf("the call comes to %v", err)
	}
}

// A server that needs longer than the others wait for still gets the call, once; it is only then that one knows.
func TestCallWithThePrefaceWaitsForASlowServer(t *testing.T) {
	for name, tc := range map[string]struct {
		opts []grpc.CallOption
		end  func(c *Client, cancel context.CancelFunc, w *rawConn)
		want codes.Code
	}{
		"it answers": {end: func(_ *Client, _ context.CancelFunc, w *rawConn) {
			w.skipCall()
			w.welcome()
			w.respond("x")
		}, want: codes.OK},
		"it says that it is full": {end: func(_ *Client, _ context.CancelFunc, w *rawConn) {
			w.Write(wire.Answer{Full: true}.Append(nil))
		}, want: codes.Unknown}, // ErrHTTP2
		"the caller gives up":                   {end: func(_ *Client, cancel context.CancelFunc, w *rawConn) { cancel(); w.skipCall() }, want: codes.Canceled},
		"the client is closed":                  {end: func(c *Client, _ context.CancelFunc, w *rawConn) { c.Close(); w.skipCall() }, want: codes.Canceled},
		"the caller gives up, and would wait":   {end: func(_ *Client, cancel context.CancelFunc, w *rawConn) { cancel(); w.skipCall() }, want: codes.Canceled, opts: []grpc.CallOption{grpc.WaitForReady(true)}},
		"it answers a caller that waits for it": {end: func(_ *Client, _ context.CancelFunc, w *rawConn) { w.skipCall(); w.welcome(); w.respond("x") }, want: codes.OK, opts: []grpc.CallOption{grpc.WaitForReady(true)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan *rawConn)
			release := make(chan struct{})
			c, s := newClient(t, unanswering(t, func(w *rawConn) {
				asked <- w
				<-release
			}))
			c.answerTimeout = time.Hour // what ends the call is tc.end
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- c.Invoke(ctx, unaryMethod, &blob{Value: []byte("x")}, &blob{}, tc.opts) }()
			w := <-asked
			// Another call waits with it for the answer, and then no longer.
			if _, err := invoke(t, c, "y"); err != ErrHTTP2 || s.dialed() != 1 {
				t.Errorf("another call comes to %v after %d dials", err, s.dialed())
			}
			tc.end(c, cancel, w)
			err := await(t, "the call", result)
			if status.Code(err) != tc.want || tc.want == codes.Unknown && err != ErrHTTP2 {
				t.Errorf("the call comes to %v, want %v", err, tc.want)
			}
			close(release)
			if tc.want == codes.OK && !c.answers() {
				t.Error("the client does not know that the server answers")
			}
		})
	}
}

// A server that drains serves the calls that come with the preface, or they go elsewhere: each runs once.
func TestCallsWithThePrefaceWhileServersDrain(t *testing.T) {
	const servers, callers, each = 20, 4, 50
	var mu sync.Mutex
	ran := map[string]int{}
	start := func() *host {
		return newHost(t, service{unary: func(_ context.Context, m *blob) (*blob, error) {
			mu.Lock()
			defer mu.Unlock()
			ran[string(m.Value)]++
			return m, nil
		}}, ServerConfig{})
	}
	h := start()
	s := newSite(t, h.accept)
	var calls sync.WaitGroup
	for caller := range callers {
		calls.Go(func() {
			for i := range each {
				content := fmt.Sprint(caller, " ", i)
				c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 1})
				err := tell(c, t.Context(), content)
				c.Close()
				if err != nil && err != ErrHTTP2 {
					t.Errorf("a call comes to %v", err)
				}
				if err == ErrHTTP2 {
					content = "lost " + content
					mu.Lock()
					ran[content] = ran[content[len("lost "):]]
					mu.Unlock()
				}
			}
		})
	}
	for range servers {
		next := start()
		s.move(next.accept)
		h.Drain()
		h = next
	}
	calls.Wait()
	mu.Lock()
	defer mu.Unlock()
	for content, n := range ran {
		if strings.HasPrefix(content, "lost ") && n != 0 || !strings.HasPrefix(content, "lost ") && n != 1 {
			t.Errorf("the call %s ran %d times", content, n)
		}
	}
	if len(ran) < callers*each {
		t.Errorf("only %d calls ran", len(ran))
	}
}

// The order in which bytes come does not matter to a server, whether it knows of this or not: it answers first.
func TestServerAnswersThePrefaceBeforeItServesTheCall(t *testing.T) {
	sent := concat(appendGreeting(nil, 0, false), unaryCall("x"))
	for _, cut := range []int{1, PrefaceLen, PrefaceLen + 3, len(appendGreeting(nil, 0, false)), len(sent) - 1, len(sent)} {
		h := newHost(t, service{}, ServerConfig{})
		client, server := pair(t)
		h.accept(server)
		w := newRawConn(t, client)
		w.send(sent[:cut], sent[cut:])
		answer := make([]byte, wire.AnswerLen)
		if _, err := io.ReadFull(w.in, answer); err != nil || string(answer) != "UDSGRPC-DIRECT\x01\x00" {
			t.Fatalf("cut at %d, the answer is %q, %v", cut, answer, err)
		}
		w.want(wire.KindMessage)
		if st := w.wantStatus(); st.Code != 0 {
			t.Errorf("cut at %d, the status is %v", cut, st.Err())
		}
	}
	// A server that declines reads nothing of the call.
	ran := make(chan struct{}, 1)
	h := newHost(t, service{unary: func(context.Context, *blob) (*blob, error) { ran <- struct{}{}; return nil, nil }}, ServerConfig{MaxConns: -1})
	client, server := pair(t)
	h.accept(server)
	w := newRawConn(t, client)
	w.send(sent)
	answer := make([]byte, wire.AnswerLen)
	if _, err := io.ReadFull(w.in, answer); err != nil || string(answer) != "UDSGRPC-DIRECT\x00\x01" {
		t.Fatalf("a full server answers %q, %v", answer, err)
	}
	await(t, "Serve", h.errs)
	fixture.Eventually(t, "the end", func() bool { _, err := w.Read(answer); return err != nil })
	if len(ran) > 0 {
		t.Error("a full server serves the call")
	}
}
