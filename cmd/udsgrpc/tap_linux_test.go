package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestTapIsForTheServersUserAndRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path, runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()), runtime.InspectMessages())
	keepCalling(t, path, "Ada")
	for uid, status := range map[uint32]int{0: 0, 65534: 71} {
		cmd := testproc.Command(t, "udsgrpc", "tap", "-m", "-n", "1", path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		said, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != status || strings.Contains(string(said), "Greet") != (uid == 0) {
			t.Errorf("of uid %d it ends with %v: %q", uid, err, said)
		}
	}
}

func TestTapColorsStatusesOnATerminal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path)
	keepCalling(t, path, "NotFound")
	s := open(t, []string{"TERM=xterm-256color", "NO_COLOR="}, "tap", path)
	s.see("METHOD")
	s.see("\x1b[31mNotFound")
	s.typeKey("\x03")
	s.end()
}

// Calls go on while the tool is stopped, as by ctrl-z, and then it says how many it has missed.
func TestTapThatIsStoppedHoldsUpNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "a.sock")
	serveGreeter(t, path)
	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := open(t, []string{"TERM=dumb"}, "tap", path)
	s.see("METHOD")
	keepCalling(t, path, "Ada")
	s.see("Greet")
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 30_000 {
		if _, err := client.Greet(t.Context(), &greeterv1.GreetRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.see(" calls are not shown")
	s.typeKey("\x03")
	s.end()
}
