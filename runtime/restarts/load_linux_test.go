package restarts_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// load calls the greeter from several clients until it is stopped.
type load struct {
	calls, streams, firsts atomic.Int64
	stop                   chan struct{}
	wg                     sync.WaitGroup
}

func startLoad(t *testing.T, path string, clients int, opts ...grpc.CallOption) *load {
	l := &load{stop: make(chan struct{})}
	for range clients {
		client, _ := greetertest.Dial(t, path)
		l.wg.Go(func() {
			for !l.stopped() {
				if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}, opts...); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				l.calls.Add(1)
			}
		})
	}
	l.wg.Go(func() {
		for !l.stopped() {
			if err := firstCall(path, opts...); err != nil {
				t.Errorf("the call of a new client failed: %v", err)
				return
			}
			l.firsts.Add(1)
		}
	})
	client, _ := greetertest.Dial(t, path)
	l.wg.Go(func() {
		for !l.stopped() {
			if err := stream(client, opts...); err != nil {
				t.Errorf("a stream failed: %v", err)
				return
			}
			l.streams.Add(1)
		}
	})
	return l
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
}

// firstCall makes a client for one call, which goes with the preface of its connection.
func firstCall(path string, opts ...grpc.CallOption) error {
	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = client.Greet(context.Background(), &greeterv1.GreetRequest{}, opts...)
	return err
}

// stream runs a short stream to its end.
func stream(client greeterv1.GreeterClient, opts ...grpc.CallOption) error {
	down, err := client.Countdown(context.Background(), &greeterv1.CountdownRequest{From: 20}, opts...)
	if err != nil {
		return err
	}
	for {
		if _, err := down.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
