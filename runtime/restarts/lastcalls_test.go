package restarts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// handlers is a service whose handlers can be set.
type handlers struct {
	greeterv1.UnimplementedGreeterServer
	entered   chan context.Context
	greet     func(context.Context) (*greeterv1.GreetResponse, error)
	countdown func(greeterv1.Greeter_CountdownServer) error
	gather    func(greeterv1.Greeter_GatherServer) error
}

func (h *handlers) Greet(ctx context.Context, _ *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	h.entered <- ctx
	return h.greet(ctx)
}

func (h *handlers) Countdown(_ *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	if err := stream.Send(&greeterv1.CountdownResponse{}); err != nil {
		return err
	}
	h.entered <- stream.Context()
	return h.countdown(stream)
}

func (h *handlers) Gather(stream greeterv1.Greeter_GatherServer) error {
	h.entered <- stream.Context()
	return h.gather(stream)
}

func callGreet(ctx context.Context, c greeterv1.GreeterClient) error {
	_, err := c.Greet(ctx, &greeterv1.GreetRequest{})
	return err
}

func callCountdown(ctx context.Context, c greeterv1.GreeterClient) error {
	stream, err := c.Countdown(ctx, &greeterv1.CountdownRequest{})
	for err == nil {
		_, err = stream.Recv()
	}
	return err
}

func callGather(ctx context.Context, c greeterv1.GreeterClient) error {
	stream, err := c.Gather(ctx)
	if err != nil {
		return err
	}
	return stream.RecvMsg(&greeterv1.GatherResponse{}) // without a half-close
}

// awaitContext is what most handlers do at the end of their context.
func awaitContext(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// checkCause reports what is wrong with the context of a call of a server that has stopped.
func checkCause(ctx context.Context) error {
	if !errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("the handler's context has the error %w", ctx.Err())
	}
	derived, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	for _, ctx := range []context.Context{ctx, derived} {
		if cause := context.Cause(ctx); !errors.Is(cause, grpc.ErrServerStopped) || status.Code(cause) != codes.Unavailable {
			return fmt.Errorf("the cause is %w", cause)
		}
	}
	return nil
}

func TestCallsThatAreLeftAtTheShutdownTimeoutAreAnswered(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	cases := map[string]struct {
		handlers handlers
		call     func(context.Context, greeterv1.GreeterClient) error
		own      string // what the client gets instead of the server's Unavailable
	}{
		"a handler that returns the error of its context": {
			handlers: handlers{greet: func(ctx context.Context) (*greeterv1.GreetResponse, error) { return nil, awaitContext(ctx) }},
			call:     callGreet,
		},
		"a handler that says in its own words that it was cancelled": {
			handlers: handlers{greet: func(ctx context.Context) (*greeterv1.GreetResponse, error) {
				return nil, fmt.Errorf("wait for Godot: %w", awaitContext(ctx))
			}},
			call: callGreet,
		},
		"a handler that returns the cause": {
			handlers: handlers{countdown: func(stream greeterv1.Greeter_CountdownServer) error {
				<-stream.Context().Done()
				return context.Cause(stream.Context())
			}},
			call: callCountdown,
		},
		"a handler that has asked for nothing before": {
			handlers: handlers{greet: func(ctx context.Context) (*greeterv1.GreetResponse, error) {
				for tick := time.NewTicker(time.Millisecond); ctx.Err() == nil; <-tick.C {
				}
				return nil, context.Cause(ctx)
			}},
			call: callGreet,
		},
		"a stream to the client that ends early without an error": {
			handlers: handlers{countdown: func(stream greeterv1.Greeter_CountdownServer) error {
				<-stream.Context().Done()
				return nil
			}},
			call: callCountdown,
		},
		"a handler that waits for the client": {
			handlers: handlers{gather: func(stream greeterv1.Greeter_GatherServer) error {
				_, err := stream.Recv()
				return err
			}},
			call: callGather,
		},
		"a handler that ignores its context": {
			handlers: handlers{greet: func(context.Context) (*greeterv1.GreetResponse, error) {
				<-release
				return nil, nil
			}},
			call: callGreet,
		},
		"a stream that ignores its context": {
			handlers: handlers{countdown: func(greeterv1.Greeter_CountdownServer) error {
				<-release
				return nil
			}},
			call: callCountdown,
		},
		"a reply": {
			handlers: handlers{greet: func(ctx context.Context) (*greeterv1.GreetResponse, error) {
				<-ctx.Done()
				return &greeterv1.GreetResponse{}, nil
			}},
			call: callGreet,
			own:  "",
		},
		"an error of the handler": {
			handlers: handlers{countdown: func(stream greeterv1.Greeter_CountdownServer) error {
				<-stream.Context().Done()
				return status.Error(codes.DataLoss, "half of it")
			}},
			call: callCountdown,
			own:  "rpc error: code = DataLoss desc = half of it",
		},
	}
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		for name, c := range cases {
			t.Run(name+" over "+transport, func(t *testing.T) {
				t.Parallel()
				// The steps of the end follow each other by the clock, which a busy machine may miss.
				var err error
				for timeout := time.Second; timeout <= 8*time.Second; timeout *= 2 {
					want := c.own
					if name != "a reply" && want == "" {
						want = "rpc error: code = Unavailable desc = the server on PATH stopped before the call finished"
					}
					if err = lastCall(t, &c.handlers, c.call, want, timeout, opts...); err == nil {
						return
					}
				}
				t.Error(err)
			})
		}
	}
}

// lastCall makes a call, stops the server, and reports what is wrong with the end of the call.
func lastCall(t *testing.T, h *handlers, call func(context.Context, greeterv1.GreeterClient) error, want string, timeout time.Duration, opts ...runtime.DialOption) error {
	t.Helper()
	path := fixture.FreePath(t)
	h2 := handlers{greet: h.greet, countdown: h.countdown, gather: h.gather, entered: make(chan context.Context, 1)}
	srv := greetertest.Serve(t, path, &h2, runtime.ShutdownTimeout(timeout))
	client, _ := greetertest.Dial(t, path, opts...)
	ended := make(chan error, 1)
	go func() { ended <- call(t.Context(), client) }()
	ctx := <-h2.entered
	srv.Stop()
	err := <-ended
	if served := <-srv.Done; served != nil {
		t.Error(served)
	}
	got := ""
	if err != nil {
		got = strings.ReplaceAll(err.Error(), path, "PATH")
	}
	if got != want {
		return fmt.Errorf("the client gets %q, want %q", got, want)
	}
	return checkCause(ctx)
}
