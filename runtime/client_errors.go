package runtime

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Reasons why a client can connect, but cannot call.
const (
	unanswered = "the server accepts the connection but does not answer: it hangs, is stopped, or is no gRPC server" + doctor
	hungUp     = "the server accepts the connection and hangs up at once: it has as many connections as it takes, is ending, or is no gRPC server" + doctor
	noHTTP2    = "the server does not speak HTTP/2 on this socket: it is no gRPC server, or is set to HTTP/1.1, as Kestrel is unless told Protocols = Http2" + doctor

	// crowded is the most likely reason when it is only known that connecting took long.
	crowded = "there was no connection in time: the deadline was very short, or the server's accept queue is full, as it is overloaded or hangs" + doctor

	doctor = "; udsgrpc doctor tells more"
)

// unansweredError is why an attempt fails if the server does not answer. Every client has one, and few need its text.
type unansweredError struct{ addr socket.Address }

func (e unansweredError) Error() string { return e.addr.String() + ": " + unanswered }

// hint explains an error of grpc for a connection that was made but cannot be used. Only the text of the
// error tells. hint is empty for all other errors, such as a connection that is lost during a call.
func hint(message string) string {
	has := func(text string) bool { return strings.Contains(message, text) }
	switch {
	case has("is not a settings frame"), has("error reading server preface") && has("HTTP/1.1 header"):
		return noHTTP2
	case has("error reading server preface") && (has(": EOF") || has("connection reset by peer")),
		has("failed to write client preface"), has("failed to write initial settings"), has("failed to write window update"),
		strings.HasPrefix(message, "write unix "):
		return hungUp
	case has("error reading server preface"):
		return unanswered
	default:
		return ""
	}
}

// explain adds to an error of a call over HTTP/2 what grpc does not say: that the policy refuses the
// server, that the server let the client connect and then did not speak HTTP/2, or why there was no
// connection when the deadline ended. The dialer explains all other failures to connect.
func (c *ClientConn) explain(err error) error {
	switch status.Code(err) {
	case codes.Unavailable:
		return c.explainUnavailable(err)
	case codes.DeadlineExceeded:
		return c.explainDeadline(err)
	default:
		return err
	}
}

// explainUnanswered adds the same to the error of a call over the direct transport that was sent to a server which
// has not answered.
func (c *ClientConn) explainUnanswered(err error, ended bool) error {
	switch status.Code(err) {
	case codes.Unavailable:
		text := unanswered
		if ended {
			text = hungUp
		}
		return prefixed(fmt.Sprintf("%s: %s", c.addr, text), err)
	case codes.DeadlineExceeded:
		return c.explainDeadline(err)
	default:
		return err
	}
}

func isUntrusted(err error) bool {
	var untrusted *UntrustedServerError
	return errors.As(err, &untrusted)
}

// unreachable returns the status of a call that HTTP/2 does not carry, for why the direct transport has no
// connection.
func unreachable(why error) error {
	var untrusted *UntrustedServerError
	if errors.As(why, &untrusted) {
		return untrustedCall{untrusted}
	}
	return status.Error(codes.Unavailable, why.Error())
}

func (c *ClientConn) explainUnavailable(err error) error {
	var untrusted *UntrustedServerError
	if errors.As(c.monitor.LastError(), &untrusted) {
		return untrustedCall{untrusted}
	}
	if h := hint(status.Convert(err).Message()); h != "" {
		return prefixed(fmt.Sprintf("%s: %s", c.addr, h), err)
	}
	return err
}

// explainDeadline explains the error of a call whose deadline ended while there was no connection. It
// returns other errors unchanged.
func (c *ClientConn) explainDeadline(err error) error {
	if c.monitor.Ready() {
		return err
	}
	reason := fmt.Sprintf("%s: %s", c.addr, crowded)
	if last := c.monitor.LastError(); last != nil {
		reason = last.Error()
	}
	if strings.Contains(err.Error(), reason) {
		return err
	}
	return prefixed(reason, err)
}

// prefixed puts text before the message of a status.
func prefixed(text string, err error) error {
	s := status.Convert(err).Proto()
	s.Message = text + ": " + s.GetMessage()
	return status.ErrorProto(s)
}
