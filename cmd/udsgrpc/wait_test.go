package main

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestWaitEndsWhenAServerAnswers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	waiter := startWaiting(t, path)
	serve(t, path)
	if line := waiter.Line(); !strings.Contains(line, `"condition":"ready"`) {
		t.Errorf("it says %s", line)
	}
	if err := waiter.WaitExit(); err != nil {
		t.Error(err)
	}
	r := call(t, "wait", "--timeout", "0", path)
	if r.want(t, 0); r.stdout+r.stderr != "" {
		t.Errorf("it says %q of a server that answers", r.stdout+r.stderr)
	}
}

// startWaiting starts udsgrpc wait, and returns when it has looked at the socket once, in vain.
func startWaiting(t *testing.T, path string) *testproc.Process {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	waiter := testproc.Start(t, "udsgrpc", "wait", path, "--json", "--timeout", "1m")
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	return waiter
}

// What makes a socket ready here is not at the socket: no watch tells, so it is looked at again.
func TestWaitSeesANameWithoutAFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has names without a file")
	}
	name := "@udsgrpc" + socketDir(t)
	waiter := startWaiting(t, name)
	serve(t, name)
	if line := waiter.Line(); !strings.Contains(line, `"condition":"ready"`) {
		t.Errorf("it says %s", line)
	}
}

func TestWaitEndsWithTheConditionThatItWaitedIn(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	good, missing, mute, web := filepath.Join(dir, "good"), filepath.Join(dir, "missing"), filepath.Join(dir, "mute"), filepath.Join(dir, "web")
	serve(t, good)
	serveRaw(t, mute, hang)
	serveRaw(t, web, answerHTTP1)
	for _, c := range []struct {
		timeout, path string
		status        int
		want          string
	}{
		{"100ms", missing, 14, ": missing\n"},
		{"0", missing, 14, ": missing\n"},
		{"0", mute, 10, ": unresponsive\n"},
		{"50ms", mute, 10, "context deadline exceeded"},
		{"1s", web, 11, ": not a gRPC server\n"},
		{"10h", "unix://x", 18, "unix://x: invalid address"},
		{"10h", "@" + strings.Repeat("n", 108), 17, ": path too long"},
	} {
		start := time.Now()
		r := call(t, "wait", "--timeout", c.timeout, good, c.path)
		r.want(t, c.status, c.want)
		if strings.Contains(r.stdout, good) {
			t.Errorf("it speaks of the server that answers: %s", r.stdout)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: it took %v", c.path, took)
		}
	}
}

func TestWaitEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	cmd := testproc.Command(t, "udsgrpc", "wait", path, "--timeout", "10h")
	waiter := testproc.StartCmd(t, cmd)
	// The first look comes at once; the signal may come before or after it.
	if err := waiter.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := waiter.WaitExit(); err == nil {
		t.Error("it ended well without a server")
	}
}
