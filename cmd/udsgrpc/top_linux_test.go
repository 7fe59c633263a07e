package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// screen is a terminal with a program.
type screen struct {
	t    *testing.T
	cmd  *exec.Cmd
	file *os.File
	ends chan struct{} // closed when nothing more comes

	mu   sync.Mutex
	news chan struct{}
	said []byte // guarded by mu
}

// open starts the tool on a terminal.
func open(t *testing.T, env []string, args ...string) *screen {
	t.Helper()
	s := &screen{t: t, cmd: testproc.Command(t, "udsgrpc", args...), news: make(chan struct{}, 1), ends: make(chan struct{})}
	s.cmd.Env = append(s.cmd.Env, env...)
	var err error
	if s.file, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 30, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	go s.read()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ends
		s.file.Close()
	})
	return s
}

func (s *screen) read() {
	defer close(s.ends)
	b := make([]byte, 4096)
	for {
		n, err := s.file.Read(b)
		if err != nil {
			return // EIO, when the program has ended
		}
		s.mu.Lock()
		s.said = append(s.said, b[:n]...)
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// see waits for a text that comes after what was seen before, and returns all up to then.
func (s *screen) see(text string) string {
	s.t.Helper()
	timeout := time.After(time.Minute)
	for {
		s.mu.Lock()
		before, after, found := bytes.Cut(s.said, []byte(text))
		if found {
			s.said = after
		}
		all := string(s.said)
		s.mu.Unlock()
		if found {
			return string(before) + text
		}
		select {
		case <-s.news:
		case <-timeout:
			s.t.Fatalf("there is no %q in %q", text, all)
		}
	}
}

func (s *screen) typeKey(key string) {
	s.t.Helper()
	if _, err := io.WriteString(s.file, key); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end of the program, and returns what is left.
func (s *screen) end() string {
	s.t.Helper()
	<-s.ends
	if err := s.cmd.Wait(); err != nil {
		s.t.Error(err)
	}
	return string(s.said)
}

const (
	enterScreen = "\x1b[?1049h"
	leaveScreen = "\x1b[?1049l"
)

func TestTopIsLiveOnATerminal(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"q": "q", "ctrl-c": "\x03", "escape": "\x1b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(socketDir(t), "a.sock")
			stop := serveGreeter(t, path)
			keepCalling(t, path, "NotFound")
			s := open(t, []string{"TERM=xterm-256color", "NO_COLOR="}, "top", path, "-i", "100ms")
			s.see(enterScreen)
			s.see("process ")
			s.see("\x1b[31mNotFound")
			if err := pty.Setsize(s.file, &pty.Winsize{Rows: 9, Cols: 60}); err != nil {
				t.Fatal(err)
			}
			s.see("METHOD") // the whole picture is drawn again
			stop()
			s.see("waiting for a server")
			serveGreeter(t, path)
			s.see("METHOD")
			s.typeKey(key)
			if left := s.end(); !strings.Contains(left, leaveScreen) {
				t.Errorf("the terminal is left with %q", left)
			}
		})
	}
}

func TestTopEndsWithASignal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path)
	s := open(t, []string{"TERM=xterm-256color"}, "top", path)
	s.see("q ends it")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if left := s.end(); !strings.Contains(left, leaveScreen) {
		t.Errorf("the terminal is left with %q", left)
	}
}

func TestTopSaysWhyItEndsOnATerminal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	stop := serveGreeter(t, path)
	s := open(t, []string{"TERM=xterm-256color"}, "top", path)
	s.see("q ends it")
	stop()
	serve(t, path, runtime.NoInspection())
	s.see(leaveScreen)
	s.see("NoInspection")
	<-s.ends
	if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 76 {
		t.Errorf("it ends with %v", err)
	}
}

func TestTopHasNoColorsWhereNobodyWantsThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path)
	keepCalling(t, path, "NotFound")
	s := open(t, []string{"TERM=xterm-256color", "NO_COLOR=1"}, "top", path, "-i", "100ms")
	said := s.see("NotFound ")
	s.typeKey("q")
	if said += s.end(); strings.Contains(said, "\x1b[31m") {
		t.Errorf("it says %q", said)
	}

	s = open(t, []string{"TERM=dumb"}, "top", path, "-i", "100ms")
	said = s.see("NotFound ")
	s.see("METHOD") // of the next picture
	s.typeKey("\x03")
	if said += s.end(); strings.Contains(said, "\x1b") {
		t.Errorf("on a dumb terminal it says %q", said)
	}
}

func TestNamesOfProgramsAreNoOrders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path, runtime.Reflection())
	next, stop := topLines(t, path) // so that calls are counted
	next()
	testproc.Run(t, testproc.Command(t, "call as odd", path))
	r := call(t, "top", "--once", "-i", "100ms", path)
	stop()
	r.want(t, 0, `"\x1b[2Jodd �"(`)
	if strings.Contains(r.stdout, "\x1b") {
		t.Errorf("it prints %q", r.stdout)
	}
}

func TestTopIsForTheServersUserAndRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path, runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
	for uid, status := range map[uint32]int{0: 0, 65534: 71} {
		cmd := testproc.Command(t, "udsgrpc", "top", "--once", "-i", "100ms", path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		said, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != status {
			t.Errorf("of uid %d it ends with %v: %q", uid, err, said)
		}
		if status != 0 && !strings.Contains(string(said), "uid 65534") {
			t.Errorf("it says %q", said)
		}
	}
}
