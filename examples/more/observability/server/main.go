// Command server serves a greeter that can be watched: spans and metrics go to standard output,
// logs to standard error.
package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/examples/more/observability/internal/telemetry"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server PATH")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(path string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	tel, err := telemetry.New("greeter", os.Stdout)
	if err != nil {
		return err
	}
	defer func() {
		// ctx has ended by now; this is what it ended for.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, tel.Shutdown(ctx))
	}()

	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{}, watched(tel, slog.New(slog.NewJSONHandler(os.Stderr, nil)))...)
	if err != nil {
		return err
	}
	return srv.Serve(ctx)
}

// watched returns all that this example is about.
func watched(tel *telemetry.Telemetry, logger *slog.Logger) []runtime.ServerOption {
	recoverPanics := recovery.WithRecoveryHandlerContext(func(ctx context.Context, p any) error {
		logger.ErrorContext(ctx, "handler panicked", "panic", p, "stack", string(debug.Stack()))
		return status.Error(codes.Internal, "the greeter has a bug, its log knows more") // a stack is not for clients
	})
	calls := logging.LoggerFunc(func(ctx context.Context, level logging.Level, what string, fields ...any) {
		logger.Log(ctx, slog.Level(level), what, fields...) // the levels have the same numbers
	})
	statusOfCall := logging.WithCodes(code)
	traceOfCall := logging.WithFieldsFromContext(func(ctx context.Context) logging.Fields {
		return logging.Fields{"trace", trace.SpanContextFromContext(ctx).TraceID().String()}
	})
	return []runtime.ServerOption{
		runtime.StatsHandler(otelgrpc.NewServerHandler(tel.Options()...)),
		// The first is the outermost, so a panic is an error by the time it is logged.
		runtime.UnaryInterceptor(
			logging.UnaryServerInterceptor(calls, statusOfCall, traceOfCall),
			recovery.UnaryServerInterceptor(recoverPanics),
		),
		runtime.StreamInterceptor(
			logging.StreamServerInterceptor(calls, statusOfCall, traceOfCall),
			recovery.StreamServerInterceptor(recoverPanics),
		),
		runtime.AuditLog(logger.With("log", "audit")),  // who connects, and whom a rule refuses
		runtime.EventLog(logger.With("log", "events")), // what befalls the socket file
	}
}

// code returns the code that the client gets for the error of a handler. logging's own choice is Unknown for
// the errors of contexts.
func code(err error) codes.Code {
	if _, ok := status.FromError(err); ok {
		return status.Code(err)
	}
	return status.FromContextError(err).Code()
}

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

// Greet has a bug: somebody without a name has no initial.
func (greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return &greeterv1.GreetResponse{Greeting: "Hello, " + req.GetName()[:1] + "!", ServerPid: int64(os.Getpid())}, nil
}

func (greeter) Countdown(req *greeterv1.CountdownRequest, stream greeterv1.Greeter_CountdownServer) error {
	for n := req.GetFrom(); n >= 0; n-- {
		if err := stream.Send(&greeterv1.CountdownResponse{Number: n}); err != nil {
			return err
		}
	}
	return nil
}
