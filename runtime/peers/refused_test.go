package peers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// eachTransport has the options of clients for each of the two.
var eachTransport = map[string][]runtime.DialOption{
	"direct": nil,
	"HTTP/2": {runtime.WithHTTP2Only()},
}

// journal is what interceptors have seen.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) add(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := j.entries
	j.entries = nil
	return entries
}

func TestInterceptorsSeeRefusedCallsAndCannotLetThemThrough(t *testing.T) {
	t.Parallel()
	own := status.Error(codes.PermissionDenied, "ask the owner")
	for name, c := range map[string]struct {
		result error // of the outer interceptor, in place of the result of the call
		pass   bool  // that, unchanged
		want   string
	}{
		"passed on":        {pass: true, want: "the rule is nobody"},
		"taken for well":   {result: nil, want: "the rule is nobody"},
		"another code":     {result: status.Error(codes.NotFound, "hidden"), want: "the rule is nobody"},
		"no status":        {result: errors.New("broken"), want: "the rule is nobody"},
		"in its own words": {result: own, want: "ask the owner"},
	} {
		for transport, dialOpts := range eachTransport {
			t.Run(name+", "+transport, func(t *testing.T) {
				t.Parallel()
				var seen journal
				path := fixture.FreePath(t)
				unary := func(name string) grpc.UnaryServerInterceptor {
					return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
						seen.add(name + info.FullMethod)
						// Another context, as a careless interceptor passes, changes nothing.
						_, err := next(context.WithoutCancel(ctx), req)
						if name == "outer" {
							_, err = next(context.Background(), req)
						}
						seen.add(name + " " + status.Code(err).String())
						if c.pass {
							return nil, err
						}
						return &greeterv1.GreetResponse{Greeting: "welcome"}, c.result
					}
				}
				stream := func(name string) grpc.StreamServerInterceptor {
					return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
						seen.add(name + info.FullMethod)
						if err := ss.SendMsg(&greeterv1.CountdownResponse{}); status.Code(err) != codes.PermissionDenied {
							t.Errorf("sending ends in %v", err)
						}
						if err := ss.RecvMsg(&greeterv1.CountdownRequest{}); status.Code(err) != codes.PermissionDenied {
							t.Errorf("receiving ends in %v", err)
						}
						err := next(srv, ss)
						seen.add(name + " " + status.Code(err).String())
						if c.pass {
							return err
						}
						return c.result
					}
				}
				srv := greetertest.Serve(t, path, greetertest.New(), runtime.Authorize(runtime.Policy{}),
					runtime.UnaryInterceptor(unary("outer"), unary("inner")), runtime.StreamInterceptor(stream("outer"), stream("inner")))
				client, _ := greetertest.Dial(t, path, dialOpts...)
				resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
				checkRefused(t, err, c.want)
				if resp.GetGreeting() != "" {
					t.Errorf("the response is %v", resp)
				}
				inner := "inner " + status.Code(own).String()
				got := seen.take()
				if !slices.Contains(got, inner) || got[0] != "outer/greeter.v1.Greeter/Greet" || got[1] != "inner/greeter.v1.Greeter/Greet" {
					t.Errorf("interceptors saw %q", got)
				}
				countdown, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{From: 3})
				if err == nil {
					_, err = countdown.Recv()
				}
				checkRefused(t, err, c.want)
				got = seen.take()
				if len(got) != 4 || got[0] != "outer/greeter.v1.Greeter/Countdown" || got[1] != "inner/greeter.v1.Greeter/Countdown" || got[2] != inner {
					t.Errorf("interceptors of streams saw %q", got)
				}
				if n := srv.Stats().Refused; n != 2 {
					t.Errorf("%d calls are counted as refused", n)
				}
			})
		}
	}
}

func checkRefused(t *testing.T, err error, text string) {
	t.Helper()
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	if err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("the refusal is %v, want %q", err, text)
	}
}

// What a program asks a policy is what the server has asked it.
func TestPermitsSaysWhatTheServerDoes(t *testing.T) {
	t.Parallel()
	for _, policy := range []runtime.Policy{
		{}, runtime.SameUser(), runtime.Root(), runtime.Anyone(), runtime.AllowUID(4711), runtime.AllowGroupName("4711"),
		runtime.All(runtime.SameUser(), runtime.NewPolicy("even", func(p socket.Peer) bool { return p.PID%2 == 0 })),
	} {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			greetertest.Serve(t, path, greetertest.New(), runtime.Authorize(policy), runtime.SocketMode(0o666), runtime.UnaryInterceptor(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
					resp, err := next(ctx, req)
					caller, _ := runtime.PeerFromContext(ctx)
					if permitted := policy.Permits(caller); permitted != (err == nil) {
						t.Errorf("permits %v: %v, and the server: %v", caller, permitted, err)
					}
					return resp, err
				}))
			client, _ := greetertest.Dial(t, path)
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
			if code := status.Code(err); code != codes.OK && code != codes.PermissionDenied {
				t.Error(err)
			}
		})
	}
}
