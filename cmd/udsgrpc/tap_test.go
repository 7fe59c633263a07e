package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/capture"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestTapPrintsALineForEachCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path)
	keepCalling(t, path, "Ada")
	keepCalling(t, path, "NotFound", runtime.WithHTTP2Only())
	r := call(t, "tap", "-n", "40", path)
	r.want(t, 0, "TIME ", " direct ", " http2 ", "/greeter.v1.Greeter/Greet ", " 5 B ", " OK\n", " NotFound\n")
	if n := strings.Count(r.stdout, "\n"); n < 41 || r.stderr != "" || strings.Contains(r.stdout, "\x1b") {
		t.Errorf("it prints\n%s\nand %q", r.stdout, r.stderr)
	}
}

func TestTapPrintsJSONLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path)
	keepCalling(t, path, "NotFound")
	r := call(t, "tap", "--json", "--count", "3", path)
	r.want(t, 0)
	lines := bufio.NewScanner(strings.NewReader(r.stdout))
	n := 0
	for ; lines.Scan(); n++ {
		var c callObject
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil || c.Method != "/greeter.v1.Greeter/Greet" || c.Code != "NotFound" ||
			c.Requests != 1 || c.RequestBytes != 10 || c.Responses != 0 || *c.PID != int64(os.Getpid()) || *c.UID != uint32(os.Getuid()) ||
			c.Seconds <= 0 || c.Contents != nil {
			t.Errorf("%v: %s", err, lines.Text())
		}
	}
	if n != 3 || r.stderr != "" {
		t.Errorf("there are %d lines, and %q", n, r.stderr)
	}
}

func TestTapShowsMessagesWhereTheProgramAllowsIt(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	open, closed := filepath.Join(dir, "a.sock"), filepath.Join(dir, "b.sock")
	serveGreeter(t, open, runtime.InspectMessages())
	serveGreeter(t, closed)
	keepCalling(t, open, "Ada")
	call(t, "tap", "-m", "-n", "2", open).want(t, 0, "\t> user-agent: grpc-go", "\t> {\"name\":\"Ada\"}\n\t< {\"greeting\":")
	r := call(t, "tap", "-m", "-n", "1", "--json", open)
	r.want(t, 0)
	var c callObject
	if err := json.Unmarshal([]byte(r.stdout), &c); err != nil || c.Contents == nil || len(c.Contents.Messages) != 2 ||
		c.Contents.Messages[0].From != "client" || string(c.Contents.Messages[0].Message) != `{"name":"Ada"}` {
		t.Errorf("%v: %s", err, r.stdout)
	}
	r = call(t, "tap", "-m", closed)
	r.want(t, 71, "PermissionDenied\n\tthe server's program lets nobody see messages: it does with runtime.InspectMessages()")
}

func TestTapKeepsCallsInAFileThatItPrints(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	path, file := filepath.Join(dir, "a.sock"), filepath.Join(dir, "calls.pcapng")
	serveGreeter(t, path, runtime.InspectMessages())
	keepCalling(t, path, "Ada")
	if r := call(t, "tap", "-m", "-n", "7", "--write", file, path); r.status != 0 || r.stdout != "" || r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	r := call(t, "tap", "--json", "--read", file)
	r.want(t, 0, `{"name":"Ada"}`)
	if n := strings.Count(r.stdout, "\n"); n != 7 {
		t.Errorf("%d calls are in the file", n)
	}
	text := call(t, "tap", "-r", file)
	text.want(t, 0, "TIME", "/greeter.v1.Greeter/Greet", "> {\"name\":\"Ada\"}")
	if n := strings.Count(call(t, "tap", "--json", "-n", "2", "-r", file).stdout, "\n"); n != 2 {
		t.Errorf("of two calls %d are printed", n)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := callWith(t, string(whole), "tap", "-r", "-"); r.stdout != text.stdout || r.status != 0 {
		t.Errorf("of standard input it prints %q, %q", r.stdout, r.stderr)
	}
	cut := callWith(t, string(whole[:len(whole)-9]), "tap", "--json", "-r", "-")
	cut.want(t, 1, "cut short")
	if n := strings.Count(cut.stdout, "\n"); n != 6 {
		t.Errorf("of a file that is cut, %d calls are printed", n)
	}
	// A file that is there is left alone.
	call(t, "tap", "-n", "1", "-w", file, path).want(t, 1, "file exists: --write makes a new file")
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("the file was changed, or %v", err)
	}
	call(t, "tap", "-n", "1", "-w", filepath.Join(dir, "none", "f"), path).want(t, 1, "no such file")
	call(t, "tap", "-r", filepath.Join(dir, "none")).want(t, 1, "no such file")
	call(t, "tap", "-r", path).want(t, 1)
	callWith(t, "hello, world, and all", "tap", "-r", "-").want(t, 1, "not a pcapng file of calls")
}

// calls of a file are written by others.
func TestTapEscapesWhatIsInAFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := capture.NewWriter(&b, "test", "x")
	if err != nil {
		t.Fatal(err)
	}
	const odd = "\x1b[2J\n"
	if err := w.Call(&inspectv1.Call{
		Method: odd, Code: 99, Transport: 77, Caller: &inspectv1.Caller{Program: odd, Pid: new(int64(1))},
		Contents: &inspectv1.Contents{StatusMessage: odd, Headers: []*inspectv1.Header{{Key: odd, Value: odd}}, Messages: []*inspectv1.Message{{Json: odd}}},
	}); err != nil {
		t.Fatal(err)
	}
	w.Dropped(7)
	if err := errors.Join(w.Call(&inspectv1.Call{}), w.Close()); err != nil {
		t.Fatal(err)
	}
	r := callWith(t, b.String(), "tap", "-r", "-")
	r.want(t, 0, "7 calls are not shown", `"\x1b[2J\n"(1)`, "Code(99)")
	if strings.Contains(r.stdout, "\x1b") || strings.Count(r.stdout, "\n") != 7 {
		t.Errorf("it prints %q", r.stdout)
	}
	r = callWith(t, b.String(), "tap", "--json", "-r", "-")
	r.want(t, 0, `{"dropped":7}`)
	for line := range strings.Lines(r.stdout) {
		if !json.Valid([]byte(line)) {
			t.Errorf("it prints %q", line)
		}
	}
}

func TestTapFollowsThePath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	end := serveGreeter(t, path)
	keepCalling(t, path, "Ada")
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"tap", path}, strings.NewReader(""), w, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	see := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("there is no %q", text)
	}
	see("Greet ")
	end()
	see(path + ": missing")
	serveGreeter(t, path)
	see("Greet ")
	cancel()
	for lines.Scan() {
	}
	if s := <-status; s != 0 {
		t.Errorf("its status is %d", s)
	}
}

func TestTapSaysWhyThereIsNothingToSee(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	serve(t, path("off"), runtime.NoInspection())
	servePlain(t, path("plain"), func(*grpc.Server) {})
	for name, c := range map[string]struct {
		status int
		text   string
	}{
		"off":     {76, "runtime.NoInspection"},
		"plain":   {76, "no server of udsgrpc"},
		"missing": {14, "missing"},
	} {
		r := call(t, "tap", path(name))
		r.want(t, c.status, path(name)+": ", c.text)
		r = call(t, "tap", "--json", "-w", path("file"), path(name))
		if r.want(t, c.status); !json.Valid([]byte(r.stdout)) || r.stderr != "" {
			t.Errorf("it prints %q, and %q", r.stdout, r.stderr)
		}
		if _, err := os.Stat(path("file")); err == nil {
			t.Error("there is a file, although there is nothing to see")
		}
	}
}

func TestTapIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"tap":             "one PATH",
		"tap a b":         "one PATH",
		"tap -r f a":      "no PATH",
		"tap -r f -w g":   "for a PATH",
		"tap -r f -m":     "for a PATH",
		"tap a -n -1":     "negative",
		"tap localhost:1": "./localhost:1",
	} {
		call(t, strings.Fields(args)...).want(t, statusUsage, want, "Usage:")
	}
}

// Wireshark has its own reader of the format, and the dissector for what is in it.
func TestWiresharkShowsAFileOfCalls(t *testing.T) {
	t.Parallel()
	tshark := testproc.Tool(t, "tshark", "tshark")
	dir := socketDir(t)
	path, file := filepath.Join(dir, "a.sock"), filepath.Join(dir, "calls.pcapng")
	serveGreeter(t, path, runtime.InspectMessages())
	keepCalling(t, path, "NotFound")
	call(t, "tap", "-m", "-n", "3", "-w", file, path).want(t, 0)
	dissector, err := filepath.Abs("wireshark/udsgrpc.lua")
	if err != nil {
		t.Fatal(err)
	}
	show := func(args ...string) string {
		cmd := testproc.Command(t, "udsgrpc")
		cmd.Path, cmd.Args = tshark, append([]string{tshark, "-X", "lua_script:" + dissector, "-r", file}, args...)
		return testproc.Run(t, cmd)
	}
	said := show("-Y", "udsgrpc.code == 5", "-T", "fields", "-e", "udsgrpc.method", "-e", "udsgrpc.pid", "-e", "udsgrpc.request_bytes", "-e", "udsgrpc.request")
	if n := strings.Count(said, "/greeter.v1.Greeter/Greet\t"+strconv.Itoa(os.Getpid())+"\t10\t{\"name\":\"NotFound\"}"); n != 3 {
		t.Errorf("it shows %q", said)
	}
	if said := show(); strings.Count(said, "/greeter.v1.Greeter/Greet  NotFound  direct") != 3 || strings.Contains(said, "Error") {
		t.Errorf("it shows %q", said)
	}
	if said := show("-Y", "udsgrpc.malformed or _ws.malformed"); strings.Contains(said, "Greet") {
		t.Errorf("it takes calls for malformed: %q", said)
	}
}
