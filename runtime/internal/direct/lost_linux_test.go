package direct

import (
	"testing"

	"google.golang.org/grpc/credentials"
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
