package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stderrOf returns what the program of a failed Cmd.Output has said.
func stderrOf(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}

// log is what a process prints, to be read while it runs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// daemon is a process that runs until the end of the row.
type daemon struct {
	*exec.Cmd
	log    *log
	exited chan struct{}
}

// start starts cmd. At the end of the row it is told to end, and killed if it has not within
// some seconds.
func (c *cell) start(cmd *exec.Cmd) *daemon {
	c.Helper()
	d := &daemon{Cmd: cmd, log: &log{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = d.log, d.log
	cmd.WaitDelay = time.Second // whoever else has its output does not matter
	if err := cmd.Start(); err != nil {
		c.Fatalf("%v", err)
	}
	go func() {
		_ = cmd.Wait()
		close(d.exited)
	}()
	c.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.exited:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-d.exited
		}
		if printed := d.log.String(); c.Failed() && printed != "" {
			c.Logf("%s has printed:\n%s", cmd.Path, printed)
		}
	})
	return d
}

// answers waits until somebody accepts connections at addr.
func (c *cell) answers(d *daemon, network, addr string) {
	c.Helper()
	c.waitFor(fmt.Sprintf("%s to listen on %s", d.Path, addr), func() bool {
		select {
		case <-d.exited:
			c.Fatalf("%s has ended: %s", d.Path, d.log)
		default:
		}
		conn, err := net.Dial(network, addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// waitFor waits for what takes moments unless something is broken.
func (c *cell) waitFor(what string, done func() bool) {
	c.Helper()
	deadline := time.After(30 * time.Second)
	for !done() {
		select {
		case <-deadline:
			c.Fatalf("waited 30 s for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// soon is for what takes seconds at the most.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// dir returns a new directory that every user may enter, with a short name: plain gRPC clients
// cannot dial a path of more than 107 bytes, which t.TempDir gets near to.
func dir(t testing.TB) string {
	t.Helper()
	d, err := os.MkdirTemp("", "interop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(d, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

func socketPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(dir(t), "s.sock")
}

// freePort returns a TCP address that nobody listens on, for programs that cannot choose
// one themselves.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func writeFile(t testing.TB, path string, lines ...string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
