//go:build unix

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// settingsFrame is what an HTTP/2 server begins with; this one has no setting in it.
const settingsFrame = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// say returns a server's side of a connection: it sends a text and waits for the client to end.
func say(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
}

// serveOne serves the first client, and waits for the end of that when the test ends.
func serveOne(t *testing.T, l net.Listener, serve func(net.Conn)) {
	t.Helper()
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		serve(conn)
	})
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
}

func TestDiagnoseTellsAGRPCServerFromOthers(t *testing.T) {
	t.Parallel()
	withSetting := "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x05\x00\x00\x40\x00"
	for name, c := range map[string]struct {
		serve     func(net.Conn)
		condition socket.Condition
		text      string
	}{
		"settings":            {say(settingsFrame), socket.Ready, "accepts connections and answers"},
		"settings with one":   {say(withSetting), socket.Ready, "accepts connections and answers"},
		"says nothing":        {say(""), socket.Unresponsive, "has not answered within 1s: it hangs"},
		"hangs up":            {func(net.Conn) {}, socket.Unresponsive, "hung up without an answer"},
		"HTTP/1.1":            {say("HTTP/1.1 400 Bad Request\r\n"), socket.NotGRPC, `answers "HTTP/1.1 400 Bad ", which is not plaintext gRPC`},
		"HTTP/1.1, hangs up":  {func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n") }, socket.NotGRPC, `"HTTP/1.1 400 Bad `},
		"short":               {say("220\r\n"), socket.NotGRPC, `answers "220\r\n"`},
		"short, hangs up":     {func(c net.Conn) { io.WriteString(c, "no") }, socket.NotGRPC, `answers "no"`},
		"half a frame header": {say(settingsFrame[:8]), socket.NotGRPC, `"\x00\x00\x00\x04`},
		"ping":                {say("\x00\x00\x08\x06\x00\x00\x00\x00\x00"), socket.NotGRPC, `"\x00\x00\b\x06`},
		"acknowledgement":     {say("\x00\x00\x00\x04\x01\x00\x00\x00\x00"), socket.NotGRPC, `"\x00\x00\x00\x04\x01`},
		"asks for HTTP/1.1":   {say("\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x0d"), socket.NotGRPC, "asks for HTTP/1.1 on this socket (GOAWAY HTTP_1_1_REQUIRED)"},
		"goes away":           {say("\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x01"), socket.NotGRPC, `"\x00\x00\b\a`},
		"settings of a stream": {say("\x00\x00\x00\x04\x00\x00\x00\x00\x01"), socket.NotGRPC,
			`"\x00\x00\x00\x04\x00\x00\x00\x00\x01"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			serveOne(t, listen(t, path), c.serve)
			d := socket.Diagnose(t.Context(), path)
			if d.Condition != c.condition || !strings.Contains(d.Detail, c.text) || (d.Err == nil) != (c.condition == socket.Ready) {
				t.Errorf("diagnosis is %v; want %q and %q", d, c.condition, c.text)
			}
			if !hasPeerPID {
				return
			}
			if who := fmt.Sprintf("process %d of uid %d, ", os.Getpid(), os.Geteuid()); d.PID != os.Getpid() || !strings.Contains(d.Detail, who) {
				t.Errorf("the server is process %d, %q; want %q", d.PID, d.Detail, who)
			}
			if strings.Contains(d.Detail, "refuse") {
				t.Errorf("a server of the same user is said to be refused: %v", d)
			}
		})
	}
}

// What is known at once is found out all the same.
func TestDiagnoseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mute, full, missing := fixture.FreePath(t), fixture.FreePath(t), fixture.FreePath(t)
	serveOne(t, listen(t, mute), say(""))
	fillQueue(t, full)
	if d := socket.Diagnose(ctx, mute); d.Condition != socket.Unresponsive || !errors.Is(d.Err, context.Canceled) {
		t.Errorf("the diagnosis of a server that says nothing is %v", d)
	}
	if d := socket.Diagnose(ctx, full); d.Condition != socket.QueueFull || !errors.Is(d.Err, context.Canceled) || !errors.Is(d.Err, unix.EAGAIN) {
		t.Errorf("the diagnosis of a server that accepts nobody is %v", d)
	}
	if d := socket.Diagnose(ctx, missing); d.Condition != socket.Missing || !errors.Is(d.Err, unix.ENOENT) {
		t.Errorf("the diagnosis of what is not there is %v", d)
	}
}

func TestDiagnoseRejectsWhatNamesNoSocket(t *testing.T) {
	t.Parallel()
	if d := socket.Diagnose(t.Context(), "unix://x"); d.Condition != socket.Invalid || d.Err == nil {
		t.Errorf("diagnosis is %v", d)
	}
	long := "/tmp/" + strings.Repeat("n", 200)
	if d := socket.Diagnose(t.Context(), long); d.Condition != socket.PathTooLong || d.Address.String() != long || !errors.Is(d.Err, socket.ErrPathTooLong) {
		t.Errorf("diagnosis is %v", d)
	}
	d := socket.Diagnose(t.Context(), "@"+strings.Repeat("n", 108))
	if d.Condition != socket.PathTooLong || d.Detail != "choose a shorter name" || !errors.Is(d.Err, socket.ErrPathTooLong) {
		t.Errorf("diagnosis is %v", d)
	}
}

func TestNoPermissionIsExplainedWithModeOwnerAndUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	inDirectory := "permission denied: uid 1234 may not"
	if hasPeerPID { // only Linux opens a directory that it may not enter
		inDirectory = "permission denied: uid 1234 may not enter the directory %s/: it is a directory of uid 0 with mode 0700, and this process has uid 1234 ("
	}
	for name, c := range map[string]struct {
		dirMode os.FileMode
		want    string
	}{
		"of the socket": {0o755,
			"permission denied: no permission to connect: it is a socket of uid 0 with mode 0600, and this process has uid 1234; the server can widen the mode or the group ("},
		"of the directory": {0o700, inDirectory},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			listen(t, path)
			if err := os.Chmod(filepath.Dir(path), c.dirMode); err != nil {
				t.Fatal(err)
			}
			cmd := testproc.Command(t, "diagnose", path)
			runAs(cmd, 1234)
			line := testproc.StartCmd(t, cmd).Line()
			want := strings.ReplaceAll(c.want, "%s", filepath.Dir(path))
			if !strings.HasPrefix(line, want) || !strings.Contains(line, unix.EACCES.Error()) {
				t.Errorf("diagnosis is %q; want %q first, and %q", line, want, unix.EACCES)
			}
		})
	}
}

// A process that may not even stat the lock file must not be told that there is none.
func TestLockFileThatCannotBeLookedAtIsNotSaidToBeMissing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := fixture.FreePath(t)
	listen(t, path)
	cmd := testproc.Command(t, "listen", path)
	runAs(cmd, 1234)
	err := testproc.StartCmd(t, cmd).WaitExit()
	if err == nil || !strings.Contains(err.Error(), unix.EACCES.Error()) || strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the server says %v", err)
	}
}
