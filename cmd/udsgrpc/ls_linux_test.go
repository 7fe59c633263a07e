package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

const hasDirect = true

func TestLsFindsSocketsThatAreInNoDirectory(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	abstract, removed, replaced := "@udsgrpc"+dir, filepath.Join(dir, "removed"), filepath.Join(dir, "replaced")
	serveWith(t, abstract, registerGreeter, runtime.Reflection())
	servePlain(t, removed, func(*grpc.Server) {})
	servePlain(t, replaced, func(*grpc.Server) {})
	for _, path := range []string{removed, replaced} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	leaveFile(t, replaced)
	conn, err := net.Dial("unix", abstract)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	rows := listed(t)
	if got := rows[abstract]; got.State != "ready" || !slices.Equal(got.Services, []string{"greeter.v1.Greeter"}) || got.Clients < 1 {
		t.Errorf("the one without a file is %+v", got)
	}
	if got := rows[removed]; got.State != stateNoFile || len(got.Processes) != 1 || got.Processes[0].PID != os.Getpid() {
		t.Errorf("the one whose file was removed is %+v", got)
	}
	if got := rows[replaced]; got.State != "stale" {
		t.Errorf("the one whose file was replaced is %+v", got)
	}
}

// The program behind the socket would leave a file.
func TestLsStartsNothingUnlessAsked(t *testing.T) {
	t.Parallel()
	activate := testproc.Tool(t, "systemd-socket-activate", "systemd")
	dir := socketDir(t)
	path, started := filepath.Join(dir, "a.sock"), filepath.Join(dir, "started")
	cmd := testproc.Command(t, "udsgrpc")
	cmd.Path, cmd.Args = activate, []string{activate, "--listen=" + path, "/bin/sh", "-c", "touch " + started + "; exec sleep 60"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	manager := testproc.StartCmd(t, cmd)
	waitFor(t, path)
	for _, args := range [][]string{{dir}, nil} {
		got, ok := listed(t, append(args, "--all")...)[path]
		if !ok || got.State != stateNotAsked || !strings.Contains(got.Detail, fmt.Sprintf("only systemd-socket- (process %d) holds it", manager.Process.Pid)) {
			t.Errorf("%q: it is %+v", args, got)
		}
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("the service was started")
	}
	if got := listed(t, "--start", dir)[path]; got.State != "unresponsive" {
		t.Errorf("when it was asked it is %+v", got)
	}
	waitFor(t, started)
}

// waitFor waits for a file.
func waitFor(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("there is no %s: %v", path, t.Context().Err())
		}
	}
}

func TestLsTellsAnotherUserWhatItMayNotReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	dir := socketDir(t)
	private, public, orphan := filepath.Join(dir, "private"), filepath.Join(dir, "public"), filepath.Join(dir, "orphan")
	serve(t, private)
	serveWith(t, public, registerGreeter, runtime.Reflection(), runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
	serve(t, orphan, runtime.SocketMode(0o400))
	cmd := testproc.Command(t, "udsgrpc", "ls", "--json", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	rows, _ := readRows(t, testproc.Run(t, cmd))
	if got := rows[private]; got.State != "permission denied" || got.Owner != "root" || got.Mode != "0600" {
		t.Errorf("the private one is %+v", got)
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("systemd manages this machine, so a process that cannot be seen could be systemd")
	}
	if got := rows[public]; got.State != "ready" || !slices.Equal(got.Services, []string{"greeter.v1.Greeter"}) || len(got.Processes) != 1 || got.Processes[0].PID != os.Getpid() {
		t.Errorf("the public one is %+v", got)
	}
	if got := listed(t, dir)[orphan]; got.State != "permission denied" || !strings.Contains(got.Detail, "nobody but root") {
		t.Errorf("the one that nobody may write to is %+v", got)
	}
}

func TestLsOfManySocketsIsQuick(t *testing.T) {
	dir := socketDir(t)
	const servers = 100 // of each kind
	for i := range servers {
		serveWith(t, filepath.Join(dir, fmt.Sprint("own", i)), registerGreeter, runtime.Reflection())
		servePlain(t, filepath.Join(dir, fmt.Sprint("plain", i)), func(srv *grpc.Server) {
			registerGreeter(srv)
			reflection.Register(srv)
		})
	}
	start := time.Now()
	rows := listed(t, dir)
	took := time.Since(start)
	t.Logf("%d sockets took %v", len(rows), took)
	if len(rows) != 2*servers || took > 20*time.Second {
		t.Errorf("%d sockets took %v", len(rows), took)
	}
	for path, got := range rows {
		if got.State != "ready" || len(got.Services) != 1 {
			t.Errorf("%s is %+v", path, got)
		}
	}
}

// Servers that hang are waited for together.
func TestLsOfManySocketsThatHangIsQuick(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	for i := range 200 {
		serveRaw(t, filepath.Join(dir, fmt.Sprint(i)), hang)
	}
	start := time.Now()
	rows := listed(t, dir)
	took := time.Since(start)
	t.Logf("%d sockets took %v", len(rows), took)
	if len(rows) != 200 || took > 60*time.Second {
		t.Errorf("%d sockets took %v", len(rows), took)
	}
}
