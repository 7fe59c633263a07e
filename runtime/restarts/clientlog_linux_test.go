package restarts_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestClientLogsHowItsServerComesAndGoes(t *testing.T) {
	t.Parallel()
	for transport, opts := range map[string][]runtime.DialOption{"direct": nil, "http2": {runtime.WithHTTP2Only()}} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			log := &greetertest.Buffer{}
			client, conn := greetertest.Dial(t, path, append(opts, runtime.WithEventLog(slog.New(slog.NewTextHandler(log, nil))))...)
			call := func() error {
				_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
				return err
			}
			fixture.Eventually(t, "connecting to fail again", func() bool {
				greetertest.CheckCode(t, call(), codes.Unavailable)
				return conn.Stats().Failed >= 3
			})
			if got := greetertest.Messages(log.String()); !slices.Equal(got, []string{"cannot connect"}) {
				t.Errorf("the events are %q, want one of the reason: %s", got, log)
			}
			first := greetertest.Serve(t, path, greetertest.New())
			if err := conn.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			// Then it leaves the connections of the direct transport alone.
			fixture.Eventually(t, "HTTP/2 to connect", func() bool { return conn.Stats().Connections.HTTP2 == 1 })
			if err := call(); err != nil {
				t.Fatal(err)
			}
			first.Stop()
			<-first.Done
			greetertest.Serve(t, path, greetertest.New())
			if err := conn.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := call(); err != nil {
				t.Fatal(err)
			}
			// Another goroutine writes those of HTTP/2.
			want := []string{"connected", "server lost", "connected"}
			fixture.Eventually(t, "the records", func() bool {
				return len(greetertest.Messages(onlyOf(log.String(), transport))) >= len(want)
			})
			of := log.String()
			for _, want := range []string{"level=WARN", "no such file", "socket=" + path, "peer.uid=", "transport=" + transport} {
				if !strings.Contains(of, want) {
					t.Errorf("there is no %q in the log:\n%s", want, of)
				}
			}
			got := greetertest.Messages(onlyOf(of, transport))
			if !slices.Equal(got, want) {
				t.Errorf("the events are %q, want %q:\n%s", got, want, of)
			}
			stats := conn.Stats()
			connections, reconnects := stats.Connections.Direct, stats.Reconnects.Direct
			if transport == "http2" {
				connections, reconnects = stats.Connections.HTTP2, stats.Reconnects.HTTP2
			}
			// HTTP/2 closes the first of the direct transport's if it connects later.
			if connections < 2 || connections > 3 || reconnects != 1 || stats.Failed == 0 {
				t.Errorf("the client counted %+v", stats)
			}
		})
	}
}

// onlyOf returns the lines of a log that are about a transport.
func onlyOf(log, transport string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "transport="+transport) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// A pool that grows is no news.
func TestFurtherConnectionsAreCountedAndNotLogged(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	greetertest.Serve(t, path, g)
	log := &greetertest.Buffer{}
	client, conn := greetertest.Dial(t, path, runtime.WithEventLog(slog.New(slog.NewTextHandler(log, nil))))
	const calls = 5
	answered := make(chan error, calls)
	for range calls {
		go func() {
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
			answered <- err
		}()
	}
	for range calls {
		<-g.Entered
	}
	close(g.Release)
	for range calls {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	want := runtime.ClientStats{Connections: runtime.ByTransport{Direct: calls}, Calls: runtime.ByTransport{Direct: calls}}
	if got := conn.Stats(); got != want {
		t.Errorf("the client counted %+v, want %+v", got, want)
	}
	if got := greetertest.Messages(log.String()); !slices.Equal(got, []string{"connected"}) {
		t.Errorf("the events are %q", got)
	}
}

// The server dies while it answers: that is a loss, and the next connection a reconnect.
func TestServerThatDiesInACallIsLost(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	first := greetertest.Serve(t, path, g)
	client, conn := greetertest.Dial(t, path)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Greet(context.Background(), &greeterv1.GreetRequest{Name: "wait"})
		answered <- err
	}()
	<-g.Entered
	first.Close()
	greetertest.CheckCode(t, <-answered, codes.Unavailable)
	greetertest.Serve(t, path, greetertest.New())
	greetertest.Greet(t, client)
	if got := conn.Stats().Reconnects.Direct; got != 1 {
		t.Errorf("there are %d reconnects", got)
	}
}

// A call whose caller gives up says nothing about the server.
func TestCallerWhoGivesUpLosesNoServer(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	greetertest.Serve(t, path, g)
	client, conn := greetertest.Dial(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	answered := make(chan error, 1)
	go func() {
		_, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "wait"})
		answered <- err
	}()
	<-g.Entered
	fixture.Eventually(t, "the client to know that it is connected", func() bool { return conn.Stats().Connections.Direct == 1 })
	cancel()
	greetertest.CheckCode(t, <-answered, codes.Canceled)
	greetertest.Greet(t, client)
	if got := conn.Stats(); got.Reconnects != (runtime.ByTransport{}) || got.Connections.Direct != 2 {
		t.Errorf("the client counted %+v", got)
	}
}

// What accepts and hangs up is no server to be connected to.
func TestServerThatNeverAnswersIsNotConnectedTo(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	log := &greetertest.Buffer{}
	_, conn := greetertest.Dial(t, path, runtime.WithEventLog(slog.New(slog.NewTextHandler(log, nil))))
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() { waited <- conn.WaitReady(ctx) }()
	fixture.Eventually(t, "some attempts", func() bool { return conn.Stats().Failed >= 3 })
	if got := greetertest.Messages(log.String()); !slices.Equal(got, []string{"cannot connect"}) || !strings.Contains(log.String(), "does not answer") {
		t.Errorf("the events are %q: %s", got, log)
	}
	l.Close()
	<-accepting
	greetertest.Serve(t, path, greetertest.New())
	if err := <-waited; err != nil {
		t.Error(err)
	}
	cancel()
	if got := conn.Stats(); got.Connections == (runtime.ByTransport{}) || got.Reconnects != (runtime.ByTransport{}) {
		t.Errorf("the client counted %+v", got)
	}
	fixture.Eventually(t, "the record", func() bool { return slices.Contains(greetertest.Messages(log.String()), "connected") })
	if got := greetertest.Messages(log.String()); len(got) < 2 || !slices.Contains(got, "connected") || slices.Contains(got, "server lost") {
		t.Errorf("the events are %q: %s", got, log)
	}
}
