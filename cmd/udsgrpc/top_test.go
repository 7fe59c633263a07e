package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// keepCalling greets name again and again until the test ends.
func keepCalling(t *testing.T, path, name string, opts ...runtime.DialOption) {
	t.Helper()
	client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			client.Greet(ctx, &greeterv1.GreetRequest{Name: name}, grpc.WaitForReady(true))
		}
	}()
	t.Cleanup(func() {
		stop()
		<-stopped
		conn.Close()
	})
}

// callAsOdd is a program for Linux, whose name is an order to the terminal.
func callAsOdd(args []string) error {
	if err := os.WriteFile("/proc/self/comm", []byte("\x1b[2Jodd \xff"), 0); err != nil {
		return err
	}
	run(context.Background(), []string{"call", args[0], "greeter.v1.Greeter/Greet"}, strings.NewReader(""), io.Discard, io.Discard)
	return nil
}

// serveGreeter runs a greeter until it is stopped, or the test ends.
func serveGreeter(t *testing.T, path string, opts ...runtime.ServerOption) (stop func()) {
	t.Helper()
	srv, err := greeterv1.NewGreeterUDSServer(path, greeter{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestTopPrintsOnePictureOfCallsAndClients(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a b.sock")
	serveGreeter(t, path)
	keepCalling(t, path, "Ada")
	keepCalling(t, path, "NotFound", runtime.WithHTTP2Only())
	r := call(t, "top", "--once", "--interval", "200ms", path)
	r.want(t, 0, `"`+path+`"`, "/greeter.v1.Greeter/Greet", "NotFound ", "METHOD", "CLIENT", "direct ", "http2 ", "in flight", "viewers 1")
	if n := strings.Count(r.stdout, "METHOD"); n != 1 || r.stderr != "" || strings.Contains(r.stdout, "\x1b") {
		t.Errorf("it prints\n%s\nand %q", r.stdout, r.stderr)
	}
}

// topLines starts top --json, which the test ends with stop.
func topLines(t *testing.T, path string) (next func() pictureObject, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"top", path, "--json", "-i", "100ms"}, strings.NewReader(""), w, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		cancel()
		io.Copy(io.Discard, r)
	})
	next = func() (p pictureObject) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("it has ended")
		}
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		return p
	}
	stop = func() int {
		cancel()
		for lines.Scan() {
		}
		return <-status
	}
	return next, stop
}

func TestTopFollowsThePathFromOneServerToTheNext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	end := serveGreeter(t, path)
	keepCalling(t, path, "Aborted")
	next, stop := topLines(t, path)
	first := next()
	if first.Path != path || first.Condition != "ready" || first.PID != int64(os.Getpid()) || first.Seconds <= 0 {
		t.Errorf("the first picture is %+v", first)
	}
	if len(first.Methods) != 1 || first.Methods[0].Method != "/greeter.v1.Greeter/Greet" || first.Methods[0].P99 == nil ||
		first.Methods[0].Codes["Aborted"] != first.Methods[0].Calls || first.Methods[0].Calls == 0 {
		t.Errorf("the methods are %+v", first.Methods)
	}
	if len(first.Clients) != 1 || *first.Clients[0].PID != int64(os.Getpid()) || *first.Clients[0].UID != uint32(os.Getuid()) {
		t.Errorf("the clients are %+v", first.Clients)
	}
	if first.Calls.Direct+first.Calls.HTTP2 == 0 || first.Total.Calls.Direct+first.Total.Calls.HTTP2 < first.Calls.Direct {
		t.Errorf("the calls are %+v of %+v", first.Calls, first.Total)
	}
	end()
	found := next()
	for found.Condition == "ready" {
		found = next()
	}
	if found.Condition != "missing" {
		t.Errorf("without a server, it says %+v", found)
	}
	serveGreeter(t, path)
	if found = next(); found.Condition != "ready" || !found.Started.After(first.Started) {
		t.Errorf("of the second server, it says %+v", found)
	}
	if status := stop(); status != 0 {
		t.Errorf("its status is %d", status)
	}
}

func TestTopSaysWhyThereIsNothingToSee(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	serve(t, path("off"), runtime.NoInspection())
	servePlain(t, path("plain"), func(*grpc.Server) {})
	serveRaw(t, path("http1"), answerHTTP1)
	serveRaw(t, path("hangs"), hang)
	leaveFile(t, path("stale"))
	for name, c := range map[string]struct {
		status int
		text   string
	}{
		"off":     {76, "runtime.NoInspection"},
		"plain":   {76, "no server of udsgrpc"},
		"http1":   {11, "not a gRPC server"},
		"hangs":   {10, "unresponsive"},
		"stale":   {13, "stale"},
		"missing": {14, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{"top", path(name)}, {"top", "--once", path(name)}} {
				r := call(t, args...)
				r.want(t, c.status, path(name)+": ", c.text)
			}
			r := call(t, "top", path(name), "--json")
			r.want(t, c.status)
			var object struct{ Status int }
			if err := json.Unmarshal([]byte(r.stdout), &object); err != nil || object.Status != c.status || r.stderr != "" {
				t.Errorf("%v: %q, and %q", err, r.stdout, r.stderr)
			}
		})
	}
}

func TestTopIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"top":                      "one PATH",
		"top a b":                  "one PATH",
		"top a --interval 1ms":     "less than 100ms",
		"top localhost:1":          "./localhost:1",
		"top a --interval forever": "invalid",
	} {
		call(t, strings.Fields(args)...).want(t, statusUsage, want, "Usage:")
	}
}
