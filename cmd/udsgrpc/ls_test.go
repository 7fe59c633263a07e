package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// listed runs ls --json, and returns what it says of each path.
func listed(t *testing.T, args ...string) map[string]row {
	t.Helper()
	r := call(t, append([]string{"ls", "--json"}, args...)...)
	r.want(t, 0)
	if r.stderr != "" {
		t.Errorf("standard error has %q", r.stderr)
	}
	rows, twice := readRows(t, r.stdout)
	// Elsewhere on the machine a path can be that of two sockets.
	named := slices.ContainsFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	if named && len(twice) > 0 {
		t.Errorf("%q are listed twice", twice)
	}
	return rows
}

func readRows(t *testing.T, lines string) (rows map[string]row, twice []string) {
	t.Helper()
	rows = map[string]row{}
	for line := range strings.Lines(lines) {
		var found row
		if err := json.Unmarshal([]byte(line), &found); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if _, known := rows[found.Path]; known {
			twice = append(twice, found.Path)
		}
		rows[found.Path] = found
	}
	return rows, twice
}

func registerGreeter(srv grpc.ServiceRegistrar) {
	greeterv1.RegisterGreeterServer(srv, greeterv1.UnimplementedGreeterServer{})
}

// http2Preface is what every HTTP/2 client sends first.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// serveStrictly hangs up when something else than HTTP/2 comes, and is a plain server to the others.
func serveStrictly(t *testing.T, path, plain string) {
	serveRaw(t, path, func(conn net.Conn) {
		client := bufio.NewReader(conn)
		if begin, _ := client.Peek(len(http2Preface)); string(begin) != http2Preface {
			return
		}
		server, err := net.Dial("unix", plain)
		if err != nil {
			return
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			io.Copy(conn, server)
			conn.Close()
		}()
		io.Copy(server, client)
		server.Close()
		<-answered
	})
}

// serveWeb is a web server that speaks HTTP/2 without TLS.
func serveWeb(t *testing.T, path string) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
}

// leaveFile leaves the socket file of a server that has ended.
func leaveFile(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLsTellsWhatIsBehindEverySocket(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	serveWith(t, at("own"), registerGreeter, runtime.Reflection(), runtime.Health(), runtime.SocketMode(0o640))
	serveWith(t, at("http2"), registerGreeter, runtime.Reflection(), runtime.HTTP2Only())
	serve(t, at("silent"))
	serve(t, at("refusing"), runtime.Reflection(), runtime.Authorize(runtime.AllowUID(123456)), runtime.SocketMode(0o666))
	plain := func(name string, reflects bool) {
		servePlain(t, at(name), func(srv *grpc.Server) {
			registerGreeter(srv)
			if reflects {
				reflection.RegisterV1(srv)
			}
		})
	}
	plain("below/plain", true)
	plain("silent plain", false)
	serveStrictly(t, at("strict"), at("below/plain"))
	serveRaw(t, at("mute"), hang)
	serveRaw(t, at("old web"), answerHTTP1)
	serveWeb(t, at("web"))
	leaveFile(t, at("stale"))
	leaveFile(t, at("ctrl\x1b[2J\n"))
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	const greeter, health = "greeter.v1.Greeter", "grpc.health.v1.Health"
	both, http2 := []string{"direct", "http2"}, []string{"http2"}
	if !hasDirect {
		both = http2
	}
	rows := listed(t, dir)
	for name, want := range map[string]row{
		"own":           {State: "ready", Services: []string{greeter, health}, Transports: both, Mode: "0640"},
		"http2":         {State: "ready", Services: []string{greeter}, Transports: http2, Mode: "0600"},
		"silent":        {State: "ready", Detail: "it has no reflection", Transports: both},
		"refusing":      {State: "ready", Detail: "its services are unknown", Transports: both, Mode: "0666"},
		"below/plain":   {State: "ready", Services: []string{greeter}, Transports: http2},
		"silent plain":  {State: "ready", Detail: "it has no reflection", Transports: http2},
		"strict":        {State: "ready", Services: []string{greeter}, Transports: http2},
		"mute":          {State: "unresponsive", Detail: "has not answered within"},
		"stale":         {State: "stale", Detail: "nobody listens"},
		"ctrl\x1b[2J\n": {State: "stale", Detail: "nobody listens"},
	} {
		got, ok := rows[at(name)]
		if !ok {
			t.Errorf("%q is not listed", name)
			continue
		}
		delete(rows, at(name))
		if got.State != want.State || !slices.Equal(got.Services, want.Services) || !slices.Equal(got.Transports, want.Transports) ||
			!strings.Contains(got.Detail, want.Detail) || want.Mode != "" && got.Mode != want.Mode {
			t.Errorf("%q is %+v, want %+v", name, got, want)
		}
		if got.UID == nil || *got.UID != os.Geteuid() || got.Owner == "" {
			t.Errorf("the owner of %q is %v, %q", name, got.UID, got.Owner)
		}
		if want.State == "ready" && hasDirect && !slices.ContainsFunc(got.Processes, func(p processRow) bool { return p.PID == os.Getpid() && p.Name != "" }) {
			t.Errorf("the processes of %q are %+v", name, got.Processes)
		}
	}
	for path, got := range rows {
		t.Errorf("%q is listed, too: %+v", path, got)
	}

	rows = listed(t, "--all", at("web"), at("old web"), at("file"))
	if len(rows) != 2 || rows[at("web")].State != "not a gRPC server" || rows[at("old web")].State != "not a gRPC server" {
		t.Errorf("the servers of other protocols are %+v", rows)
	}

	text := call(t, "ls", dir)
	text.want(t, 0, "PATH", at("own"), "direct,http2", `"`+at("silent plain")+`"`, `ctrl\x1b[2J\n"`, "stale: a socket file is there",
		"not shown without --all: 2 not a gRPC server\n")
	if strings.Contains(text.stdout, "\x1b") {
		t.Errorf("a terminal would obey %q", text.stdout)
	}
}

func TestLsEndsWithTheProgramAndListsNoHalf(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	ctx, interrupt := context.WithCancel(t.Context())
	serveRaw(t, filepath.Join(dir, "mute"), func(conn net.Conn) {
		interrupt()
		hang(conn)
	})
	for range 2 { // it is ended while a socket is asked, and before directories are read
		var stdout, stderr strings.Builder
		status := run(ctx, []string{"ls", dir}, nil, &stdout, &stderr)
		if status != statusUnread || stdout.String() != "" || !strings.Contains(stderr.String(), "it was ended before") {
			t.Errorf("the status is %d, and it says %s%s", status, stdout.String(), stderr.String())
		}
	}
}

func TestLsTellsOfADirectoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	serve(t, filepath.Join(dir, "a.sock"))
	none := filepath.Join(dir, "none")
	r := call(t, "ls", none, dir)
	r.want(t, statusUnread, "a.sock", "none: no such file")
	r = call(t, "ls", none, dir, "--json")
	r.want(t, statusUnread)
	if rows, _ := readRows(t, r.stdout); len(rows) != 2 || rows[none].State != stateUnread || !strings.Contains(rows[none].Detail, "no such file") || r.stderr != "" {
		t.Errorf("in JSON it is %+v", r)
	}
}
