package direct

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// newConnPair returns a conn and the other end of its connection.
func newConnPair(t *testing.T) (*conn, *rawConn) {
	t.Helper()
	a, b := pair(t)
	c, err := newConn(a, nil, &wire.Buffers{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, newRawConn(t, b)
}

// A request whose end is late does not change, though its connection gives its buffer back while it waits,
// and others use the buffer.
func TestRequestsWhoseEndIsLate(t *testing.T) {
	h := newHost(t, service{}, ServerConfig{})
	slow, quick := h.connect(), h.connect()
	content := strings.Repeat("slow", 1000)
	for range 20 {
		slow.send(concat(callFrame(unaryMethod, nil), messageFrame(content)))
		for range 20 {
			quick.send(unaryCall(strings.Repeat("quick", 1000)))
			quick.want(wire.KindMessage)
			quick.wantStatus()
		}
		slow.send(endFrame)
		if got := slow.want(wire.KindMessage); !bytes.Equal(got, messageFrame(content)[wire.FrameHeaderLen:]) {
			t.Fatalf("the request has become %.100q", got)
		}
		slow.wantStatus()
	}
}

// A receiver does not wait for room to write: the other end may make none before its own messages are
// received.
func TestStreamOfSmallMessagesAndLargeAnswersDoesNotStall(t *testing.T) {
	h := newHost(t, answerAll, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	const messages = 3000
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(sendMany(stream, messages, 500), stream.CloseSend()) }()
	if n, err := receiveAll(stream); n != messages || err != nil {
		t.Errorf("%d messages are received, %v", n, err)
	}
	if err := await(t, "the messages to be sent", sent); err != nil {
		t.Errorf("sending comes to %v", err)
	}
}

// For the race detector: the scratch memory of a connection belongs to the sending goroutine until the end
// of the call.
func TestServerStopsWhileAHandlerSends(t *testing.T) {
	for range 20 {
		began := make(chan struct{})
		h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
			close(began)
			return sendMany(ss, math.MaxInt, 2000)
		}}, ServerConfig{})
		c, _ := newClient(t, h.accept)
		stream := open(t, c, &bothDesc)
		ended := make(chan error, 1)
		go func() {
			_, err := receiveAll(stream)
			ended <- err
		}()
		await(t, "the handler", began)
		h.Stop()
		if err := await(t, "the end", ended); err == nil {
			t.Error("the stream ends well")
		}
	}
}

// A handler that sends and one that receives do not wait for each other.
func TestTrailerIsSetWhileAnotherSends(t *testing.T) {
	const messages, answers = 100, 20
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		sent := make(chan error, 1)
		go func() { sent <- sendMany(ss, answers, 100<<10) }()
		for {
			switch err := ss.RecvMsg(&blob{}); {
			case err == io.EOF:
				return <-sent
			case err != nil:
				return err
			}
			ss.SetTrailer(metadata.Pairs("k", "v"))
		}
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Before anything is received.
	if err := errors.Join(sendMany(stream, messages, 10<<10), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if n, err := receiveAll(stream); n != answers || err != nil || len(stream.Trailer().Get("k")) != messages {
		t.Errorf("received %d messages, %v, and %d trailers", n, err, len(stream.Trailer().Get("k")))
	}
}

// A violation in a request is reported to the receiving goroutine, though another one waits for the client
// to receive.
func TestErrorIsReceivedWhileAnotherSends(t *testing.T) {
	began, failed := make(chan *serverConn, 1), make(chan error, 1)
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		sent := make(chan error, 1)
		began <- ss.(*serverStream).conn
		go func() { sent <- sendMany(ss, math.MaxInt, 100<<10) }()
		err := ss.RecvMsg(&blob{})
		failed <- err
		<-sent
		return nil // the first error is the status
	}}, ServerConfig{MaxRecv: 1000})
	c, _ := newClient(t, h.accept)
	stream := open(t, c, &bothDesc)
	await(t, "the handler", began).awaitFull(t)
	if err := stream.SendMsg(&blob{Value: make([]byte, 2000)}); err != nil {
		t.Fatal(err)
	}
	if err := await(t, "the error", failed); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("receiving comes to %v", err)
	}
	if _, err := receiveAll(stream); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the stream ends with %v", err)
	}
}

// The first error is the status, even if another goroutine of the handler meets the end of the call that it causes.
func TestStatusOfTheFirstErrorIsSentWhileAnotherSends(t *testing.T) {
	for range 200 {
		h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
			sent := make(chan error, 1)
			go func() { sent <- sendMany(ss, math.MaxInt, 100) }()
			ss.RecvMsg(&blob{})
			<-sent
			return nil
		}}, ServerConfig{MaxRecv: 10})
		c, _ := newClient(t, h.accept)
		stream := open(t, c, &bothDesc)
		if err := stream.SendMsg(&blob{Value: make([]byte, 20)}); err != nil {
			t.Fatal(err)
		}
		if _, err := receiveAll(stream); status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("the stream ends with %v", err)
		}
		c.Close()
		h.Stop()
	}
}
