package observability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestCallsAreTracedMeasuredAndLogged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testproc.Build(t, dir, "./server", "./client")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(dir, "s.sock")

	server := exec.CommandContext(ctx, filepath.Join(dir, "server"), path)
	var served bytes.Buffer
	server.Stdout = &served
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() }) // of no effect on one that has ended

	client := exec.CommandContext(ctx, filepath.Join(dir, "client"), path)
	var called, said bytes.Buffer
	client.Stdout, client.Stderr = &called, &said
	if err := client.Run(); err != nil {
		t.Fatalf("client: %v: %s", err, &said)
	}
	if !strings.Contains(said.String(), `"" is greeted with "the greeter has a bug, its log knows more"`) {
		t.Errorf("the client says %s", &said)
	}
	if !strings.Contains(said.String(), "msg=connected socket="+path+" transport=direct") {
		t.Errorf("the client's log has no connection: %s", &said)
	}

	if err := os.Remove(path); err != nil { // which is an event
		t.Fatal(err)
	}
	records := json.NewDecoder(stderr)
	logged := read[record](t, records, func(r record) bool { return r.Msg == "socket bound again" })
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	logged = append(logged, read[record](t, records, never)...)
	if err := server.Wait(); err != nil {
		t.Errorf("server: %v", err)
	}

	trace := checkSpans(t, called.Bytes(), served.Bytes())
	checkMetrics(t, called.Bytes(), "rpc.client.call.duration")
	checkMetrics(t, served.Bytes(), "rpc.server.call.duration")
	checkLogs(t, logged, trace)
}

// span is a line of stdouttrace or of stdoutmetric; one lacks what the other has.
type span struct {
	Name                string
	SpanContext, Parent struct{ TraceID, SpanID string }
	Status              struct{ Code string }
	ScopeMetrics        []struct {
		Metrics []struct {
			Name string
			Data struct{ DataPoints []struct{ Count int } }
		}
	}
}

// checkSpans checks that each span of the server is within the client's span of the same call, and
// those within the visit. It returns the id of the trace that all are in.
func checkSpans(t *testing.T, called, served []byte) string {
	t.Helper()
	clients := read[span](t, json.NewDecoder(bytes.NewReader(called)), func(s span) bool { return s.Name == "visit" })
	visit := clients[len(clients)-1]
	servers := read[span](t, json.NewDecoder(bytes.NewReader(served)), func(s span) bool { return s.Name == "" })
	servers = servers[:len(servers)-1] // which is the metrics
	clients = clients[:len(clients)-1]

	if len(clients) != 3 || len(servers) != 3 {
		t.Fatalf("the client has printed %d spans of calls and the server %d, want 3 of each", len(clients), len(servers))
	}
	for i, want := range []struct{ name, status string }{
		{"greeter.v1.Greeter/Greet", "Unset"},
		{"greeter.v1.Greeter/Greet", "Error"},
		{"greeter.v1.Greeter/Countdown", "Unset"},
	} {
		client, server := clients[i], servers[i]
		if client.Parent != visit.SpanContext {
			t.Errorf("the parent of the client's span is %v, want %v", client.Parent, visit.SpanContext)
		}
		if server.Parent != client.SpanContext {
			t.Errorf("the parent of the server's span is %v, want %v", server.Parent, client.SpanContext)
		}
		for _, s := range []span{client, server} {
			if s.Name != want.name || s.Status.Code != want.status {
				t.Errorf("the span is of %s with status %s, want %s with %s", s.Name, s.Status.Code, want.name, want.status)
			}
		}
	}
	return visit.SpanContext.TraceID
}

func checkMetrics(t *testing.T, printed []byte, name string) {
	t.Helper()
	calls := 0
	for _, line := range read[span](t, json.NewDecoder(bytes.NewReader(printed)), never) {
		for _, scope := range line.ScopeMetrics {
			for _, metric := range scope.Metrics {
				for _, point := range metric.Data.DataPoints {
					if metric.Name == name {
						calls += point.Count
					}
				}
			}
		}
	}
	if calls != 3 {
		t.Errorf("%s counts %d calls, want 3", name, calls)
	}
}

type record struct {
	Level, Msg, Log, Panic, Stack, Trace string
	Code                                 string `json:"grpc.code"`
	Peer                                 struct{ UID int }
}

func checkLogs(t *testing.T, logged []record, trace string) {
	t.Helper()
	has := func(what string, match func(record) bool) {
		t.Helper()
		if !slices.ContainsFunc(logged, match) {
			t.Errorf("there is no record of %s in %+v", what, logged)
		}
	}
	has("the connection", func(r record) bool {
		return r.Log == "audit" && r.Msg == "connection accepted" && r.Peer.UID == os.Geteuid()
	})
	has("the finished call", func(r record) bool {
		return r.Msg == "finished call" && r.Level == "INFO" && r.Code == "OK" && r.Trace == trace
	})
	has("the panic", func(r record) bool {
		return r.Level == "ERROR" && strings.Contains(r.Panic, "slice bounds out of range") && strings.Contains(r.Stack, "greeter.Greet")
	})
	has("the call that panicked", func(r record) bool {
		return r.Msg == "finished call" && r.Level == "ERROR" && r.Code == "Internal" && r.Trace == trace
	})
	has("the removed socket", func(r record) bool { return r.Log == "events" && r.Msg == "socket bound again" })
}

// read returns what a stream of JSON has up to the value that is the last, or its end.
func read[T any](t *testing.T, from *json.Decoder, last func(T) bool) (values []T) {
	t.Helper()
	for {
		var value T
		if err := from.Decode(&value); errors.Is(err, io.EOF) {
			return values
		} else if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		if last(value) {
			return values
		}
	}
}

func never[T any](T) bool { return false }
