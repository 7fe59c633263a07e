package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/examples/more/observability/internal/telemetry"
)

// failing returns the error that it has.
type failing struct {
	greeterv1.UnimplementedGreeterServer
	err error
}

func (f failing) Greet(context.Context, *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	return nil, f.err
}

func TestTheLogHasTheCodeThatTheClientGets(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"deadline":         context.DeadlineExceeded,
		"wrapped deadline": fmt.Errorf("reading: %w", context.DeadlineExceeded),
		"cancelled":        context.Canceled,
		"status":           status.Error(codes.NotFound, "no such name"),
		"wrapped status":   fmt.Errorf("reading: %w", status.Error(codes.NotFound, "no such name")),
		"another error":    errors.New("no such name"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, telErr := telemetry.New("greeter", io.Discard)
			if telErr != nil {
				t.Fatal(telErr)
			}
			t.Cleanup(func() { _ = tel.Shutdown(context.WithoutCancel(t.Context())) })
			var log bytes.Buffer
			logged := slog.New(slog.NewJSONHandler(&log, nil))
			path := filepath.Join(t.TempDir(), "s.sock")
			srv, srvErr := greeterv1.NewGreeterUDSServer(path, failing{err: err}, watched(tel, logged)...)
			if srvErr != nil {
				t.Fatal(srvErr)
			}
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- srv.Serve(ctx) }()
			client, conn, dialErr := greeterv1.DialGreeterUDS(path)
			if dialErr != nil {
				t.Fatal(dialErr)
			}
			defer conn.Close()
			if err := conn.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, callErr := client.Greet(t.Context(), &greeterv1.GreetRequest{})
			stop()
			if err := <-served; err != nil {
				t.Fatal(err)
			}
			if got, want := loggedCode(t, &log), status.Code(callErr).String(); got != want {
				t.Errorf("the log says %s and the client got %s", got, want)
			}
		})
	}
}

// loggedCode returns the code of the one call in a log.
func loggedCode(t *testing.T, log io.Reader) string {
	t.Helper()
	records := json.NewDecoder(log)
	for {
		var record struct {
			Msg  string
			Code string `json:"grpc.code"`
		}
		if err := records.Decode(&record); err != nil {
			t.Fatalf("no finished call in the log: %v", err)
		}
		if record.Msg == "finished call" {
			return record.Code
		}
	}
}
