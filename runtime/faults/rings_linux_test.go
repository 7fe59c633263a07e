package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// lines collects what is written to it.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// overRings skips a test of rings where calls do not go over them.
func overRings(t *testing.T) {
	if !direct.RingsAtOnce.Load() {
		t.Skip("over sockets only")
	}
}

// The options turn rings off, at either end, and the EventLog tells of each connection that has moved.
func TestOptionsWithoutRings(t *testing.T) {
	t.Parallel()
	overRings(t)
	for name, tc := range map[string]struct {
		server []runtime.ServerOption
		client []runtime.DialOption
		moved  int64
	}{
		"both with":      {nil, nil, 1},
		"server without": {[]runtime.ServerOption{runtime.SocketOnly()}, nil, 0},
		"client without": {nil, []runtime.DialOption{runtime.WithSocketOnly()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events lines
			log := slog.New(slog.NewTextHandler(&events, &slog.HandlerOptions{Level: slog.LevelDebug}))
			path := fixture.FreePath(t)
			srv := greetertest.Serve(t, path, greetertest.New(), append(tc.server, runtime.EventLog(log))...)
			client, conn := greetertest.Dial(t, path, tc.client...)
			for range 3 {
				greetertest.Greet(t, client)
			}
			if s, c := srv.Stats().Rings, conn.Stats().Rings; s != tc.moved || c != tc.moved {
				t.Errorf("the server counted %d connections with rings, the client %d", s, c)
			}
			if n := events.count(`msg="moved to shared memory"`); n != int(tc.moved) {
				t.Errorf("the event log tells of %d", n)
			}
		})
	}
}

// A server that is killed while it reads or sleeps at a ring ends the call of its client at once. One that is stopped
// lets it wait until its deadline.
func TestServerIsKilledOrStoppedAtTheRing(t *testing.T) {
	t.Parallel()
	overRings(t)
	path := fixture.FreePath(t)
	client, conn := greetertest.Dial(t, path)
	for range 5 {
		server := testproc.Start(t, "greeter", path)
		server.Line()
		if err := conn.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			greetertest.Greet(t, client)
		}
		if err := server.Process.Signal(unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		fixture.Eventually(t, "the server to stop", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.Process.Pid))
			return err == nil && bytes.Contains(stat, []byte(") T "))
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := client.Greet(ctx, &greeterv1.GreetRequest{})
		cancel()
		greetertest.CheckCode(t, err, codes.DeadlineExceeded)
		ended := make(chan error, 1)
		go func() {
			_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{})
			ended <- err
		}()
		server.Kill()
		server.WaitExit()
		// Nobody has processed the call, or nobody knows; there is no other server.
		greetertest.CheckCode(t, <-ended, codes.Unavailable)
	}
	if conn.Stats().Rings == 0 {
		t.Error("there were no rings")
	}
}
