package difftest

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
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

// A status that arrives when the call is ended from outside may be told or not, and its trailer may be there or not. Nothing
// else is excused that never was.
func TestStatusAndEndOfACallAreComparedApart(t *testing.T) {
	returned := Return{How: "status", Code: codes.NotFound, Message: "no such thing"}
	ended, status := outcomeOf(context.Canceled).String(), returned.told()
	seen := [][]string{
		{"client 0: recv 1: " + ended, "client stats: end, " + ended + ", trailer {}", "client stats: +0 payloads"},
		{"client 0: recv 1: " + ended, "client 0: header: none", "client stats: end, " + ended + ", trailer {}", "client stats: +0 payloads"},
		{"client 0: recv 1: Internal", "client stats: end, Internal, trailer {}", "client stats: +0 payloads"},
	}
	for name, tc := range map[string]struct {
		got  []string
		want bool
	}{
		"the status":          {[]string{"client 0: recv 1: " + status, "client stats: end, " + ended + ", trailer {a}", "client stats: in trailer {a}", "client stats: +0 payloads"}, true},
		"another end":         {[]string{"client 0: recv 1: " + status, "client stats: end, Internal, trailer {a}", "client stats: +0 payloads"}, true},
		"another status":      {[]string{"client 0: recv 1: NotFound", "client stats: end, " + ended + ", trailer {}", "client stats: +0 payloads"}, false},
		"a message more":      {[]string{"client 0: recv 1: " + ended, "client stats: end, " + ended + ", trailer {}", "client stats: +1 payloads"}, false},
		"a line that must be": {[]string{"client 0: recv 1: " + ended, "client stats: end, " + ended + ", trailer {}"}, false},
	} {
		if got := lineByLine(tc.got, seen, returned); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
