package restarts_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestBothEndsCountCallsAndConnectionsByTransport(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New(), runtime.Health())
	fast, fastConn := greetertest.Dial(t, path)
	slow, slowConn := greetertest.Dial(t, path, runtime.WithHTTP2Only())
	for range 3 {
		greetertest.Greet(t, fast)
	}
	greetertest.Greet(t, slow)
	if err := stream(fast); err != nil {
		t.Fatal(err)
	}
	if err := stream(slow); err != nil {
		t.Fatal(err)
	}
	one := runtime.ByTransport{Direct: 1, HTTP2: 1}
	wantServer := runtime.ServerStats{Connections: one, Calls: runtime.ByTransport{Direct: 4, HTTP2: 2}, Rings: ringtest.Moved(1)}
	if got := srv.Stats(); got != wantServer {
		t.Errorf("the server counted %+v, want %+v", got, wantServer)
	}
	wantFast := runtime.ClientStats{Connections: runtime.ByTransport{Direct: 1}, Calls: runtime.ByTransport{Direct: 4}, Rings: ringtest.Moved(1)}
	if got := fastConn.Stats(); got != wantFast {
		t.Errorf("the client counted %+v, want %+v", got, wantFast)
	}
	wantSlow := runtime.ClientStats{Connections: runtime.ByTransport{HTTP2: 1}, Calls: runtime.ByTransport{HTTP2: 2}}
	// grpc shows that its connection is ready a moment after calls may use it.
	fixture.Eventually(t, fmt.Sprintf("the client of HTTP/2 to count %+v", wantSlow), func() bool { return slowConn.Stats() == wantSlow })
}

func TestRefusedCallersAreCounted(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New(), runtime.Authorize(runtime.Policy{}))
	for _, opts := range [][]runtime.DialOption{nil, {runtime.WithHTTP2Only()}} {
		client, _ := greetertest.Dial(t, path, opts...)
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
		greetertest.CheckCode(t, err, codes.PermissionDenied)
	}
	if got := srv.Stats(); got.Refused != 2 || got.Calls != (runtime.ByTransport{Direct: 1, HTTP2: 1}) {
		t.Errorf("the server counted %+v", got)
	}
}

func TestRefusedServersAreCounted(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New())
	client, conn := greetertest.Dial(t, path, runtime.WithServerPolicy(runtime.Policy{}))
	_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	if got := conn.Stats(); got.Refused == 0 || got.Failed < got.Refused || got.Connections != (runtime.ByTransport{}) {
		t.Errorf("the client counted %+v", got)
	}
	if got := srv.Stats().Calls; got != (runtime.ByTransport{}) {
		t.Errorf("the server counted calls: %+v", got)
	}
}

func TestHandoversAreCountedAtBothEnds(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	old := greetertest.Serve(t, path, greetertest.New(), runtime.Takeover())
	quitter, err := greeterv1.NewGreeterUDSServer(path, greetertest.New(), runtime.Takeover())
	if err != nil {
		t.Fatal(err)
	}
	if err := quitter.Close(); err != nil {
		t.Error(err)
	}
	fixture.Eventually(t, "the handover to fail", func() bool { return old.Stats().Handovers.Failed == 1 })
	next := greetertest.Serve(t, path, greetertest.New(), runtime.Takeover())
	if err := <-old.Done; err != nil {
		t.Error(err)
	}
	if got, want := old.Stats().Handovers, (runtime.HandoverStats{Given: 1, Failed: 1}); got != want {
		t.Errorf("the former owner counted %+v, want %+v", got, want)
	}
	if got, want := next.Stats().Handovers, (runtime.HandoverStats{Received: 1}); got != want {
		t.Errorf("the successor counted %+v, want %+v", got, want)
	}
	if got := quitter.Stats().Handovers; got != (runtime.HandoverStats{}) {
		t.Errorf("the one that gave up counted %+v", got)
	}
}

func TestSocketsBoundAgainAreCounted(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	srv := greetertest.Serve(t, path, greetertest.New())
	_, conn := greetertest.Dial(t, path)
	for n := range int64(2) {
		if err := conn.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		fixture.Eventually(t, "the socket to be bound again", func() bool { return srv.Stats().Rebound == n+1 })
	}
}

// Package expvar publishes whatever encoding/json can write.
func TestStatsAreJSONNumbers(t *testing.T) {
	t.Parallel()
	for stats, want := range map[any]string{
		runtime.ServerStats{}: `{"Connections":{"Direct":0,"HTTP2":0},"Calls":{"Direct":0,"HTTP2":0},"Refused":0,"NotAccepted":0,"TurnedAway":0,"Rebound":0,"SendWaits":0,"Rings":0,"Handovers":{"Received":0,"Given":0,"Failed":0}}`,
		runtime.ClientStats{}: `{"Connections":{"Direct":0,"HTTP2":0},"Reconnects":{"Direct":0,"HTTP2":0},"Calls":{"Direct":0,"HTTP2":0},"Failed":0,"SendWaits":0,"Rings":0,"Refused":0}`,
	} {
		got, err := json.Marshal(stats)
		if err != nil || string(got) != want {
			t.Errorf("%T becomes %s, %v", stats, got, err)
		}
	}
}
