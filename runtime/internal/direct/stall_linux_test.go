package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// openGuarded opens a stream that does not wait for ever.
func openGuarded(t *testing.T, c *Client, desc *grpc.StreamDesc) grpc.ClientStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	t.Cleanup(cancel)
	s, err := c.NewStream(ctx, desc, "/t.T/"+desc.StreamName, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A client sends everything before it receives anything, from a server that acknowledges each message.
func TestAllIsSentBeforeAnythingIsReceived(t *testing.T) {
	for _, tc := range []struct{ messages, size int }{{1000, 1 << 10}, {300, 10 << 10}, {300, 100 << 10}, {3000, 80}} {
		t.Run(fmt.Sprintf("%d messages of %d bytes", tc.messages, tc.size), func(t *testing.T) {
			h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
				for {
					switch err := ss.RecvMsg(&blob{}); {
					case err == io.EOF:
						return nil
					case err != nil:
						return err
					}
					if err := ss.SendMsg(&blob{Value: []byte("acknowledged")}); err != nil {
						return err
					}
				}
			}}, ServerConfig{})
			c, _ := newClient(t, h.accept)
			stream := openGuarded(t, c, &bothDesc)
			if err := errors.Join(sendMany(stream, tc.messages, tc.size), stream.CloseSend()); err != nil {
				t.Fatal(err)
			}
			if n, err := receiveAll(stream); n != tc.messages || err != nil {
				t.Errorf("%d acknowledgements of %d are received, %v", n, tc.messages, err)
			}
		})
	}
}

// Sending continues while the other end is busy with something else, for client and handler alike.
func TestSendingDoesNotWaitForABusyEnd(t *testing.T) {
	for _, tc := range []struct{ messages, size int }{{1, 3 << 20}, {30, 100 << 10}, {40_000, 80}} {
		t.Run(fmt.Sprintf("%d messages of %d bytes", tc.messages, tc.size), func(t *testing.T) {
			sent := make(chan error, 2)
			bothSent := make(chan struct{})
			h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
				sent <- sendMany(ss, tc.messages, tc.size)
				<-bothSent
				for range tc.messages {
					if err := ss.RecvMsg(&blob{}); err != nil {
						return err
					}
				}
				return nil
			}}, ServerConfig{})
			c, _ := newClient(t, h.accept)
			stream := openGuarded(t, c, &bothDesc)
			sent <- sendMany(stream, tc.messages, tc.size)
			for range 2 {
				if err := await(t, "both ends to send", sent); err != nil {
					t.Fatal(err)
				}
			}
			close(bothSent)
			if n, err := receiveAll(stream); n != tc.messages || err != nil {
				t.Errorf("%d messages are received, %v", n, err)
			}
		})
	}
}

// sendFirst returns a service that sends messages before it receives as many.
func sendFirst(messages, size int) service {
	return service{stream: func(ss grpc.ServerStream) error {
		if err := sendMany(ss, messages, size); err != nil {
			return err
		}
		for range messages {
			if err := ss.RecvMsg(&blob{}); err != nil {
				return err
			}
		}
		return nil
	}}
}

// If both ends first send more than a window, both take frames in while they wait.
func TestBothEndsSendMoreThanAWindowFirst(t *testing.T) {
	const messages, size = 6, 1 << 20
	if messages*size <= window {
		t.Fatal("a window holds all")
	}
	h := newHost(t, sendFirst(messages, size), ServerConfig{})
	c, _ := newClient(t, h.accept)
	for range 3 { // the connection can be used again afterwards
		stream := openGuarded(t, c, &bothDesc)
		if err := errors.Join(sendMany(stream, messages, size), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		if n, err := receiveAll(stream); n != messages || err != nil {
			t.Errorf("%d messages are received, %v", n, err)
		}
	}
	fixture.Eventually(t, "the budgets to be given back", func() bool { return c.budget.used.Load()+h.budget.used.Load() == 0 })
	mustEcho(t, c, "x")
}

// A header that was peeked before is no obstacle.
func TestSendingMoreThanAWindowAfterTheHeader(t *testing.T) {
	const messages, size = 6, 1 << 20
	h := newHost(t, sendFirst(messages, size), ServerConfig{})
	c, _ := newClient(t, h.accept)
	stream := openGuarded(t, c, &bothDesc)
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sendMany(stream, messages, size), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if n, err := receiveAll(stream); n != messages || err != nil {
		t.Errorf("%d messages are received, %v", n, err)
	}
}

// A Send that waits learns that the server has answered, though nobody receives.
func TestWhoWaitsToSendLearnsOfTheAnswer(t *testing.T) {
	full := make(chan struct{})
	h := newHost(t, service{stream: func(grpc.ServerStream) error {
		<-full
		return nil
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	stream := openGuarded(t, c, &bothDesc)
	sent := make(chan error, 1)
	go func() { sent <- sendMany(stream, 1000, 100<<10) }()
	fixture.Eventually(t, "the sender to wait", func() bool { return stream.(*clientStream).out.waiting.Load() > 0 })
	close(full)
	if err := await(t, "the sender", sent); err != io.EOF {
		t.Errorf("sending comes to %v", err)
	}
	if err := stream.RecvMsg(&blob{}); err != io.EOF {
		t.Errorf("the call comes to %v", err)
	}
}

// A Send of a handler that waits ends when its client goes away.
func TestHandlerThatWaitsToSendEndsWithItsClient(t *testing.T) {
	ended, waits := make(chan error, 1), make(chan *serverStream, 1)
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		waits <- ss.(*serverStream)
		err := sendMany(ss, 1000, 100<<10)
		ended <- err
		return err
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := c.NewStream(ctx, &bothDesc, bothMethod, nil); err != nil {
		t.Fatal(err)
	}
	s := await(t, "the handler", waits)
	fixture.Eventually(t, "the handler to wait", func() bool { return s.out.waiting.Load() > 0 })
	cancel()
	if err := await(t, "the handler", ended); err == nil {
		t.Error("a handler without a client sends all")
	}
	fixture.Eventually(t, "the budget to be given back", func() bool { return h.budget.used.Load() == 0 })
}

// A Send that waits looks after what comes, and gives that up again where there is no room to take it in. A Header
// that begins in that moment has to go on then: nobody else receives.
func TestHeaderGoesOnWhenASendHasLookedAfterWhatComes(t *testing.T) {
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		if err := ss.SendHeader(metadata.Pairs("k", "v")); err != nil {
			return err
		}
		return echo(ss)
	}}, ServerConfig{})
	c := NewClient(ClientConfig{Dial: newSite(t, h.accept).dial, MaxConns: 1, Budget: 1})
	t.Cleanup(c.Close)
	s := openGuarded(t, c, &bothDesc).(*clientStream)
	c.budget.charge(1) // there is no room
	s.reading.Lock()
	header := make(chan error, 1)
	go func() {
		_, err := s.Header()
		header <- err
	}()
	fixture.Eventually(t, "Header to wait", func() bool { return s.readingWaits.Load() > 0 })
	s.reading.Unlock()
	s.takeIn()
	if err := await(t, "the header", header); err != nil {
		t.Error(err)
	}
}
