package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// clientKind is a Go client that runs grpc's own interop cases.
type clientKind string

const (
	ours      clientKind = "udsgrpc"       // its target is a path
	oursHTTP2 clientKind = "udsgrpc-http2" // a path
	grpcGo    clientKind = "grpc-go"       // a target of grpc.NewClient
	connectGo clientKind = "connect-go"    // a path
)

// testCase runs one of grpc's interop cases. Those functions end the process when what they
// check does not hold.
type testCase func(ctx context.Context, conn grpc.ClientConnInterface) error

// cases returns grpc's interop cases by the names that grpc has given them.
func cases() map[string]testCase {
	of := func(do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) testCase {
		return func(ctx context.Context, conn grpc.ClientConnInterface) error {
			do(ctx, testgrpc.NewTestServiceClient(conn))
			return nil
		}
	}
	return map[string]testCase{
		"empty_unary":                 of(interop.DoEmptyUnaryCall),
		"large_unary":                 of(interop.DoLargeUnaryCall),
		"client_streaming":            of(interop.DoClientStreaming),
		"server_streaming":            of(interop.DoServerStreaming),
		"ping_pong":                   of(interop.DoPingPong),
		"empty_stream":                of(interop.DoEmptyStream),
		"timeout_on_sleeping_server":  of(interop.DoTimeoutOnSleepingServer),
		"cancel_after_begin":          cancelAfterBegin,
		"cancel_after_first_response": of(interop.DoCancelAfterFirstResponse),
		"status_code_and_message":     of(interop.DoStatusCodeAndMessage),
		"special_status_message":      of(interop.DoSpecialStatusMessage),
		"custom_metadata":             of(interop.DoCustomMetadata),
		"unimplemented_method":        unimplementedMethod,
		"unimplemented_service": func(ctx context.Context, conn grpc.ClientConnInterface) error {
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
			return nil
		},
	}
}

func caseNames() []string { return slices.Sorted(maps.Keys(cases())) }

// unimplementedMethod is written anew because grpc's takes nothing but a *grpc.ClientConn.
func unimplementedMethod(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := testgrpc.NewTestServiceClient(conn).UnimplementedCall(ctx, &testgrpc.Empty{})
	if status.Code(err) != codes.Unimplemented {
		return fmt.Errorf("a method that the server lacks ends with %v, want Unimplemented", err)
	}
	return nil
}

// cancelAfterBegin is written anew because grpc's ends the stream of requests after the
// cancellation, and a server that has heard of the former only may well reply: about once in 500
// times grpc's own client gets to see that.
func cancelAfterBegin(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := testgrpc.NewTestServiceClient(conn).StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	cancel()
	if err := stream.RecvMsg(&testgrpc.StreamingInputCallResponse{}); status.Code(err) != codes.Canceled {
		return fmt.Errorf("a cancelled call ends with %v, want Canceled", err)
	}
	return nil
}

// runCase is the program of a Go client: it runs the case args[2] with a client of kind
// args[0] against args[1].
func runCase(args []string) (err error) {
	if len(args) != 3 {
		return fmt.Errorf("want a kind of client, a target and a case, got %q", args)
	}
	run, ok := cases()[args[2]]
	if !ok {
		run, ok = moreCases()[args[2]]
	}
	if !ok {
		return fmt.Errorf("there is no case %q", args[2])
	}
	conn, err := dial(clientKind(args[0]), args[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return run(ctx, conn)
}

// clientConn is what the stubs need, and the end of it.
type clientConn interface {
	grpc.ClientConnInterface
	io.Closer
}

func dial(kind clientKind, target string) (clientConn, error) {
	switch kind {
	case ours:
		return runtime.Dial(target)
	case oursHTTP2:
		return runtime.Dial(target, runtime.WithHTTP2Only())
	case grpcGo:
		return grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	case connectGo:
		return dialConnect(target), nil
	}
	return nil, fmt.Errorf("there is no client of kind %q", kind)
}

// runCases runs every case in a process of its own.
func (c *cell) runCases(kind clientKind, target string) {
	c.Helper()
	for _, name := range caseNames() {
		out, err := child(soon(c), c, "case", string(kind), target, name).CombinedOutput()
		c.oddly(c.odd, name, err == nil || c.late(name, string(out)), string(out))
	}
}

// late reports whether a case has failed only because the server was the first to notice the
// end of the one millisecond that the call had, and the program in between, or the client, does
// not tell the stream's end from others.
func (c *cell) late(name, output string) bool {
	return name == "timeout_on_sleeping_server" &&
		slices.ContainsFunc(c.lateReplies, func(r string) bool { return strings.Contains(output, r) })
}
