package difftest

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// This project says why there was no answer until the deadline; grpc-go says only that it has passed.
func TestReasonForNoAnswerIsNotCompared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := runtime.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = conn.Invoke(ctx, serviceName+Unary.method(), wrapperspb.Bytes(nil), &wrapperspb.BytesValue{})
	plain := status.FromContextError(context.DeadlineExceeded).Err()
	if got := outcomeOf(err); err.Error() == plain.Error() || got != outcomeOf(plain) {
		t.Errorf("%v counts as %v", err, got)
	}
}

// What ended the call and whether there was a trailer by then were seen, but not in one run.
func TestEndAndTrailerOfACallAreComparedApart(t *testing.T) {
	seen := [][]string{{"client stats: end, ok, trailer {}"}, {"client stats: end, Internal, trailer {a}"}}
	for line, want := range map[string]bool{
		"client stats: end, Internal, trailer {}": true,
		"client stats: end, ok, trailer {a}":      true,
		"client stats: end, ok, trailer {b}":      false,
		"client stats: end, Canceled, trailer {}": false,
	} {
		if got := lineByLine([]string{line}, seen); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
