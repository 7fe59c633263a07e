package peers_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestAuditLogHasOneRecordForEachConnectionAndEachRefusal(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	log := &greetertest.Buffer{}
	greetertest.Serve(t, path, greetertest.New(), runtime.AuditLog(slog.New(slog.NewJSONHandler(log, nil))),
		runtime.AuthorizeMethod("/greeter.v1.Greeter/Greet", runtime.Policy{}))
	client, _ := greetertest.Dial(t, path)
	for range 2 {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		greetertest.CheckCode(t, err, codes.PermissionDenied)
	}
	stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	counts := countRecords(t, log, path)
	if counts["connection accepted"] != 1 || counts["call refused"] != 2 || len(counts) != 2 {
		t.Errorf("records are %v in\n%s", counts, log.String())
	}
}

func TestAuditLogHasAllowedCallsOnRequest(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	log := &greetertest.Buffer{}
	greetertest.Serve(t, path, greetertest.New(), runtime.AuditLog(slog.New(slog.NewJSONHandler(log, nil))), runtime.AuditAllowedCalls(),
		runtime.AuthorizeMethod(greeterv1.Greeter_Greet_FullMethodName, runtime.Policy{}))
	client, _ := greetertest.Dial(t, path)
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	stream, err := client.Countdown(t.Context(), &greeterv1.CountdownRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	counts := countRecords(t, log, path)
	if counts["call allowed"] != 1 || counts["call refused"] != 1 {
		t.Errorf("records are %v in\n%s", counts, log.String())
	}
	if line := fmt.Sprintf(`"method":"/greeter.v1.Greeter/Countdown","rule":"same user (uid %d)"`, os.Geteuid()); !strings.Contains(log.String(), line) {
		t.Errorf("there is no %s in\n%s", line, log.String())
	}
}

// A request that cannot be read is no call that was allowed, whichever transport it comes over.
func TestUnreadableRequestIsNoAllowedCall(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]runtime.DialOption{"direct": nil, "HTTP/2": {runtime.WithHTTP2Only()}} {
		t.Run(name, func(t *testing.T) {
			path := fixture.FreePath(t)
			log := &greetertest.Buffer{}
			srv := greetertest.Serve(t, path, greetertest.New(), runtime.AuditLog(slog.New(slog.NewJSONHandler(log, nil))), runtime.AuditAllowedCalls())
			_, conn := greetertest.Dial(t, path, opts...)
			err := conn.Invoke(t.Context(), greeterv1.Greeter_Greet_FullMethodName, wrapperspb.Bytes([]byte{0xff}), &greeterv1.GreetResponse{})
			greetertest.CheckCode(t, err, codes.Internal)
			if counts, calls := countRecords(t, log, path), srv.Stats().Calls; counts["call allowed"] != 0 || calls != (runtime.ByTransport{}) {
				t.Errorf("the statistics are %v, the records %v", calls, counts)
			}
		})
	}
}

// countRecords returns how many records there are of each kind, and checks that they name what they
// should.
func countRecords(t *testing.T, log *greetertest.Buffer, path string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(log.String()) {
		var record struct {
			Msg, Method, Rule, Socket string
			Peer                      struct{ UID, GID, PID *int }
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		counts[record.Msg]++
		if p := record.Peer; p.UID == nil || *p.UID != os.Geteuid() || p.PID == nil || *p.PID != os.Getpid() {
			t.Errorf("record does not name the peer: %s", line)
		}
		if record.Msg == "call refused" && (record.Method != "/greeter.v1.Greeter/Greet" || record.Rule != "nobody") {
			t.Errorf("record does not name method and rule: %s", line)
		}
		if record.Socket != path {
			t.Errorf("record does not name the socket: %s", line)
		}
	}
	return counts
}
