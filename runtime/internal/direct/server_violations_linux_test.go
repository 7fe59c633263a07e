package direct

import (
	"math"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// A violation by a client between calls, or in place of a unary request, ends the connection with a reason
// for the server's log. No handler sees it, and other clients are not affected.
func TestServerClosesConnectionsOfClientsThatBreakTheProtocol(t *testing.T) {
	call := callFrame(unaryMethod, nil)
	cases := map[string]struct {
		sent   []byte
		reason string
	}{
		"message instead of a call":  {messageFrame("x"), "a frame of kind 'M' instead of a call"},
		"end instead of a call":      {endFrame, "a frame of kind 'E' instead of a call"},
		"second intro":               {frame(wire.KindIntro, 0), "a frame of kind 'I' instead of a call"},
		"server's status":            {statusFrame(wire.Status{}), "a frame of kind 'S' instead of a call"},
		"server's header":            {frame(wire.KindHeader, 0), "a frame of kind 'H' instead of a call"},
		"server's going away":        {frame(wire.KindGoAway), "a frame of kind 'G' instead of a call"},
		"unknown kind":               {frame('?'), "a frame of kind '?' instead of a call"},
		"call after a call":          {concat(call, call), "a frame of kind 'C' instead of a request"},
		"unknown kind in a call":     {concat(call, frame('?')), "a frame of kind '?' instead of a request"},
		"end with content":           {concat(call, frame(wire.KindEnd, 0)), "a frame of kind 'E' instead of a request"},
		"call after the request":     {concat(call, messageFrame("x"), call), "a frame of kind 'C' after the request"},
		"end with content, after":    {concat(call, messageFrame("x"), frame(wire.KindEnd, 0)), "a frame of kind 'E' after the request"},
		"message after the end":      {concat(unaryCall("x"), messageFrame("x")), "a frame of kind 'M' instead of a call"},
		"end after the end":          {concat(unaryCall("x"), endFrame), "a frame of kind 'E' instead of a call"},
		"call header over the limit": {announce(wire.KindCall, wire.MaxControl+1), "a frame of 1048577 bytes, and 1048576 is the limit"},
		"call header of 2 GiB":       {announce(wire.KindCall, wire.MaxFrame+1), "a frame of 2147483648 bytes, and 2147483647 is the limit"},
		"call header of 4 GiB":       {announce(wire.KindCall, math.MaxUint32), "a frame of 4294967295 bytes"},
		"request of 2 GiB":           {concat(call, announce(wire.KindMessage, wire.MaxFrame+1)), "a frame of 2147483648 bytes"},
		"request of 4 GiB":           {concat(call, announce(wire.KindMessage, math.MaxUint32)), "a frame of 4294967295 bytes"},
		"end of 2 GiB":               {concat(call, messageFrame("x"), announce(wire.KindEnd, wire.MaxFrame+1)), "a frame of 2147483648 bytes"},
		"empty call header":          {frame(wire.KindCall), "a frame ends within a field"},
		"call header cut short":      {frame(wire.KindCall, 0, 9, '/'), "a frame ends within a field"},
		"call header too long":       {frame(wire.KindCall, 0, 1, '/', 0, 0, 0), "a frame has 2 bytes too many"},
		"more pairs than bytes":      {frame(wire.KindCall, 0, 1, '/', 9, 0, 0), "a frame ends within a field"},
		"line break in a method":     {callFrame("/a/b\nforged", nil), "control characters"},
		"line break in metadata":     {frame(wire.KindCall, wire.AppendCallHeader(nil, 0, unaryMethod, metadata.MD{"k": {"v\nforged"}})...), "non-printable ASCII"},
	}
	h := newHost(t, service{}, ServerConfig{})
	bystander := h.connect()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := h.connect()
			w.send(tc.sent)
			for { // a valid call has its answer
				k, _, err := w.next()
				if err != nil {
					break
				}
				if k != wire.KindMessage && k != wire.KindStatus {
					t.Errorf("the server answers with a frame of kind %q", k)
				}
			}
			if err := await(t, "Serve", h.errs); !isViolation(err, tc.reason) {
				t.Errorf("the reason is %v, want %q", err, tc.reason)
			}
			bystander.send(unaryCall("hello"))
			bystander.want(wire.KindMessage)
			if st := bystander.wantStatus(); st.Code != 0 || st.Last {
				t.Errorf("another client gets %+v", st)
			}
		})
	}
}

// A violation by a client in a stream ends the call, with a status that says so, and the connection. The
// handler gets the same error.
func TestServerEndsStreamsOfClientsThatBreakTheProtocol(t *testing.T) {
	for name, tc := range map[string]struct {
		sent   []byte
		reason string
	}{
		"call in a stream":     {callFrame(bothMethod, nil), "a frame of kind 'C' instead of a message"},
		"header in a stream":   {frame(wire.KindHeader, 0), "a frame of kind 'H' instead of a message"},
		"status in a stream":   {statusFrame(wire.Status{}), "a frame of kind 'S' instead of a message"},
		"end with content":     {frame(wire.KindEnd, 0), "a frame of kind 'E' instead of a message"},
		"unknown kind":         {frame('?'), "a frame of kind '?' instead of a message"},
		"go away from clients": {frame(wire.KindGoAway), "a frame of kind 'G' instead of a message"},
		"message of 2 GiB":     {announce(wire.KindMessage, wire.MaxFrame+1), "a frame of 2147483648 bytes, and 2147483647 is the limit"},
		"message of 4 GiB":     {announce(wire.KindMessage, math.MaxUint32), "a frame of 4294967295 bytes, and 2147483647 is the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan error, 1)
			h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
				err := echo(ss)
				seen <- err
				return err
			}}, ServerConfig{})
			w := h.connect()
			w.send(callFrame(bothMethod, nil), messageFrame("x"))
			w.want(wire.KindMessage)
			w.send(tc.sent)
			st := w.wantStatus()
			if codes.Code(st.Code) != codes.Internal || st.Message != "direct transport: "+tc.reason || !st.Last {
				t.Errorf("the status is %+v, want Internal, %q, and the last", st, tc.reason)
			}
			w.wantClosed()
			if err := await(t, "the handler", seen); err.Error() != st.Err().Error() {
				t.Errorf("the handler gets %v", err)
			}
		})
	}
}

// A client's violation in a stream is logged like one between calls.
func TestServeReportsViolationsInStreams(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	w := h.connect()
	w.send(callFrame(bothMethod, nil), frame('?'))
	w.wantStatus()
	if err := await(t, "Serve", h.errs); !isViolation(err, "a frame of kind '?'") {
		t.Errorf("the reason is %v", err)
	}
}

// A message over the limit is not read, and no memory is allocated for it.
func TestServerRefusesMessagesOverTheLimitUnread(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{MaxRecv: 1000})
	for _, method := range []string{unaryMethod, downMethod, upMethod, bothMethod} {
		t.Run(method, func(t *testing.T) {
			w := h.connect()
			got := fixture.Allocated(func() {
				w.send(callFrame(method, nil), announce(wire.KindMessage, wire.MaxFrame))
				st := w.wantStatus()
				if codes.Code(st.Code) != codes.ResourceExhausted || !st.Last {
					t.Errorf("the status is %+v", st)
				}
			})
			if got > 1<<20 {
				t.Errorf("%d bytes are allocated", got)
			}
			w.wantClosed()
		})
	}
}

// A client that announces much and then waits costs what it has sent, not what it announced.
func TestServerAllocatesNothingForAnnouncements(t *testing.T) {
	for name, sent := range map[string][]byte{
		"message within the limit":       concat(callFrame(unaryMethod, nil), announce(wire.KindMessage, math.MaxInt32)),
		"control frame within the limit": announce(wire.KindCall, wire.MaxControl),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, service{}, ServerConfig{MaxRecv: math.MaxInt32})
			const clients = 20
			got := fixture.Allocated(func() {
				var wires []*rawConn
				for range clients {
					w := h.connect()
					w.send(sent, []byte("a little"))
					wires = append(wires, w)
				}
				for _, w := range wires {
					w.CloseWrite()
					w.wantClosed()
				}
			})
			if got > clients*4*(64<<10+wire.ReadBuffer) {
				t.Errorf("%d bytes are allocated for %d clients", got, clients)
			}
			for range clients {
				if err := await(t, "Serve", h.errs); err != nil {
					t.Errorf("to go away in the middle is every client's right, and not %v", err)
				}
			}
		})
	}
}
