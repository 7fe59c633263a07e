package direct

import (
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

var okFrame = statusFrame(wire.Status{})

// A violation by the server makes the call fail with Internal and a reason. The connection is not used for
// another call.
func TestClientClosesConnectionsOfServersThatBreakTheProtocol(t *testing.T) {
	header := frame(wire.KindHeader, 0)
	for name, tc := range map[string]struct {
		sent   []byte
		reason string
	}{
		"intro":                     {frame(wire.KindIntro, 0), "a frame of kind 'I'"},
		"call":                      {callFrame(unaryMethod, nil), "a frame of kind 'C'"},
		"end":                       {endFrame, "a frame of kind 'E'"},
		"unknown kind":              {frame('?'), "a frame of kind '?'"},
		"HTTP/2 settings":           {[]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), `a frame of kind '\x00'`},
		"header after the header":   {concat(header, header), "a header after the header"},
		"header after a message":    {concat(messageFrame("x"), header), "a header after the header"},
		"goes away after a header":  {concat(header, frame(wire.KindGoAway)), "goes away in the middle of a call"},
		"goes away after a message": {concat(messageFrame("x"), frame(wire.KindGoAway)), "goes away in the middle of a call"},
		"header over the limit":     {announce(wire.KindHeader, wire.MaxControl+1), "1048576 is the limit"},
		"status over the limit":     {announce(wire.KindStatus, wire.MaxControl+1), "1048576 is the limit"},
		"message of 2 GiB":          {announce(wire.KindMessage, wire.MaxFrame+1), "a frame of 2147483648 bytes, and 2147483647 is the limit"},
		"message of 4 GiB":          {announce(wire.KindMessage, math.MaxUint32), "a frame of 4294967295 bytes"},
		"header of 2 GiB":           {announce(wire.KindHeader, wire.MaxFrame+1), "a frame of 2147483648 bytes"},
		"status of 2 GiB":           {concat(messageFrame("x"), announce(wire.KindStatus, wire.MaxFrame+1)), "a frame of 2147483648 bytes"},
		"going away with 4 GiB":     {announce(wire.KindGoAway, math.MaxUint32), "a frame of 4294967295 bytes"},
		"empty header":              {frame(wire.KindHeader), "ends within a field"},
		"empty status":              {frame(wire.KindStatus), "ends within a field"},
		"header too long":           {frame(wire.KindHeader, 0, 0), "1 bytes too many"},
		"status too long":           {frame(wire.KindStatus, 0, 0, 0, 0, 0), "1 bytes too many"},
		"two messages":              {concat(messageFrame("x"), messageFrame("y"), okFrame), "cardinality violation"},
		"no message":                {okFrame, "cardinality violation"},
		"no protobuf":               {concat(frame(wire.KindMessage, 0xff), okFrame), "failed to unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, fake(t, func(w *rawConn) {
				if w.skipCall() {
					w.Write(tc.sent)
					w.skipCall() // waits for the client to hang up
				}
			}))
			_, err := invoke(t, c, "x")
			if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("the call comes to %v, want Internal and %q", err, tc.reason)
			}
			h := newHost(t, service{}, ServerConfig{})
			s.move(h.accept)
			if name == "no message" {
				return // the call is over, and valid for the transport
			}
			mustEcho(t, c, "again")
		})
	}
}

// A frame after the status belongs to no call, and must not become part of the next.
func TestFramesAfterTheStatusAreNotTakenForTheNextCalls(t *testing.T) {
	answer := concat(messageFrame("mine"), okFrame)
	for name, after := range map[string][]byte{
		"another answer": concat(messageFrame("not yours"), okFrame),
		"status":         statusFrame(wire.Status{Code: 5}),
		"part of one":    okFrame[:3],
		"going away":     frame(wire.KindGoAway),
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, fake(t, func(w *rawConn) {
				sent := concat(answer, after)
				for w.skipCall() {
					w.Write(sent)
					sent = answer
				}
			}))
			for range 2 {
				if got, err := invoke(t, c, ""); got != "mine" || err != nil {
					t.Errorf("the answer is %q, %v", got, err)
				}
			}
		})
	}
}

// If the connection ends in the middle of an answer, the call fails with Unavailable: nobody knows what
// happened.
func TestAnswersCutShortAreUnavailable(t *testing.T) {
	answer := concat(frame(wire.KindHeader, 0), messageFrame("x"), okFrame)
	for n := range len(answer) {
		c, s := newClient(t, fake(t, func(w *rawConn) {
			if w.skipCall() {
				w.Write(answer[:n])
			}
		}))
		_, err := invoke(t, c, "x")
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "error reading from server: ") {
			t.Errorf("after %d bytes the call comes to %v", n, err)
		}
		if s.dialed() != 1 {
			t.Errorf("after %d bytes the call is sent again", n)
		}
	}
}

// A message over the limit is refused before anything is allocated for it, also by a client.
func TestClientRefusesMessagesOverTheLimitUnread(t *testing.T) {
	c, _ := newClient(t, fake(t, func(w *rawConn) {
		w.skipCall()
		w.Write(announce(wire.KindMessage, wire.MaxFrame))
		w.skipCall()
	}))
	var err error
	got := fixture.Allocated(func() { _, err = invoke(t, c, "x") })
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the call comes to %v", err)
	}
	if got > 1<<20 {
		t.Errorf("%d bytes are allocated", got)
	}
}

// Header also finds violations by the server, and the call is over then.
func TestHeaderFindsViolations(t *testing.T) {
	for name, sent := range map[string][]byte{
		"malformed header": frame(wire.KindHeader),
		"cut short":        announce(wire.KindHeader, 5),
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, fake(t, func(w *rawConn) {
				if k, _, err := w.next(); k == wire.KindCall && err == nil {
					w.Write(sent)
				}
			}))
			s := open(t, c, &bothDesc)
			s.Header()
			err := s.RecvMsg(&blob{})
			if code := status.Code(err); code != codes.Internal && code != codes.Unavailable || err == io.EOF {
				t.Errorf("the call comes to %v", err)
			}
		})
	}
}
