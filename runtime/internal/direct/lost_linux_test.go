package direct

import (
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// A server is lost when it has gone while no connection to it was open, and when another
// transport finds it out first.
func TestLossIsFoundWithoutACallThatMeetsIt(t *testing.T) {
	for name, find := range map[string]func(t *testing.T, c *Client, s *site){
		"by connecting": func(t *testing.T, c *Client, s *site) {
			c.pool.flush()
			s.move(nil)
			if err := c.Connect(t.Context()); err != ErrHTTP2 {
				t.Errorf("connecting comes to %v", err)
			}
		},
		"by HTTP/2": func(_ *testing.T, c *Client, _ *site) { c.HTTP2Connected() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{})
			s := &site{t: t, accept: h.accept}
			connected, lost := 0, 0
			c := NewClient(ClientConfig{
				Dial: s.dial, MaxConns: 2,
				Connected: func(credentials.AuthInfo) { connected++ },
				Lost:      func() { lost++ },
			})
			defer c.Close()
			mustEcho(t, c, "x")
			c.HTTP2Connected() // for the first time, to a server that lives
			mustEcho(t, c, "x")
			if connected != 2 || lost != 0 {
				t.Fatalf("connected %d times and lost %d times before the loss", connected, lost)
			}
			h.Stop()
			await(t, "Serve", h.errs)
			await(t, "Serve", h.errs)
			find(t, c, s)
			if lost != 1 {
				t.Errorf("the server was lost %d times", lost)
			}
		})
	}
}

// Two calls find the end of one server, the second when a connection to the next server is there.
func TestLossIsReportedOnceHoweverManyCallsFindIt(t *testing.T) {
	old, next := newHost(t, service{stream: echo}, ServerConfig{}), newHost(t, service{}, ServerConfig{})
	s := &site{t: t, accept: old.accept}
	lost := 0
	c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 10, Lost: func() { lost++ }})
	defer c.Close()
	first, second := open(t, c, &bothDesc), open(t, c, &bothDesc)
	for _, stream := range []grpc.ClientStream{first, second} { // both run
		if err := errors.Join(stream.SendMsg(&blob{}), stream.RecvMsg(&blob{})); err != nil {
			t.Fatal(err)
		}
	}
	s.move(next.accept)
	old.Stop()
	if code := status.Code(first.RecvMsg(&blob{})); code != codes.Unavailable {
		t.Errorf("the first stream ends with %v", code)
	}
	mustEcho(t, c, "x")
	if code := status.Code(second.RecvMsg(&blob{})); code != codes.Unavailable {
		t.Errorf("the second stream ends with %v", code)
	}
	if lost != 1 {
		t.Errorf("the server was lost %d times", lost)
	}
	if all, idle := c.pool.size(); all != 1 || idle != 1 {
		t.Errorf("there are %d connections, %d idle; want that to the next server", all, idle)
	}
}

func TestConnectionThatIsDeadIsNotReady(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	c, s := newClient(t, h.accept)
	mustEcho(t, c, "x")
	h.Stop()
	await(t, "Serve", h.errs)
	s.move(nil)
	if err := c.Connect(t.Context()); err != ErrHTTP2 {
		t.Errorf("connecting comes to %v", err)
	}
}
