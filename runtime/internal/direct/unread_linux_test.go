package direct

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kernel tells a client that the server has not read all of its call. If the call has no stream of messages to
// the server, that cannot have begun it, and the next one gets it.
func TestCallThatAServerHasNotReadGoesToTheNext(t *testing.T) {
	for name, tc := range map[string]struct {
		call func(t *testing.T, c *Client) error
		code codes.Code
	}{
		"unary": {func(t *testing.T, c *Client) error {
			_, err := invoke(t, c, "x")
			return err
		}, codes.OK},
		"unary, large": {func(t *testing.T, c *Client) error {
			_, err := invoke(t, c, string(content(0, 1<<20)))
			return err
		}, codes.OK},
		"to the client": {func(t *testing.T, c *Client) error {
			s := open(t, c, &downDesc)
			return errors.Join(s.SendMsg(&blob{}), s.CloseSend(), s.RecvMsg(&blob{}))
		}, codes.OK},
		"to the server": {func(t *testing.T, c *Client) error { // it may have begun
			return open(t, c, &bothDesc).RecvMsg(&blob{})
		}, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "to the server" && RingsAtOnce.Load() {
				t.Skip("of a call in a ring the client knows that nothing was read")
			}
			old, next := newSleeper(t, service{}), newHost(t, service{}, ServerConfig{})
			c, s := newSleepersClient(t, old)
			done := make(chan error, 1)
			go func() { done <- tc.call(t, c) }()
			old.queued(1)
			s.move(next.accept)
			old.only().Close() // as when its process dies
			if err := await(t, "the call", done); status.Code(err) != tc.code {
				t.Errorf("the call comes to %v, want %v", err, tc.code)
			}
			close(old.release)
		})
	}
}

// The end of a call that could not be written was not read either, however the other end closes the connection.
func TestCallThatCouldNotBeWrittenGoesToTheNext(t *testing.T) {
	t.Parallel()
	next := newHost(t, service{}, ServerConfig{})
	var s *site
	c, s := newClient(t, fake(t, func(w *rawConn) {
		s.move(next.accept)
		w.next()
		w.CloseRead()
		io.Copy(io.Discard, w.in)
	}))
	mustEcho(t, c, string(content(0, 4<<20-100)))
}
