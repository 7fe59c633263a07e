package files_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// start starts a server, which says that it serves, and ends it well after the test.
func start(t *testing.T, path string, command ...string) {
	t.Helper()
	server := testproc.StartCmd(t, exec.Command(command[0], command[1:]...))
	t.Cleanup(server.Stop)
	if got, want := server.Line(), "serves on "+path; got != want {
		t.Fatalf("the server says %q, want %q", got, want)
	}
}

func TestLogComesThroughAPipe(t *testing.T) {
	t.Parallel()
	dir := testproc.OpenDir(t)
	testproc.Build(t, dir, "./server", "./tail")
	logFile, path := filepath.Join(dir, "log"), filepath.Join(dir, "s.sock")
	var want strings.Builder
	for i := range 100_000 { // far more than a pipe holds
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if err := os.WriteFile(logFile, []byte(want.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, path, filepath.Join(dir, "server"), path, logFile)
	got, err := exec.CommandContext(t.Context(), filepath.Join(dir, "tail"), path).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Errorf("%d bytes come through the pipe, which are not the %d of the log", len(got), want.Len())
	}
}

func TestMemoryIsMapped(t *testing.T) {
	t.Parallel()
	dir := testproc.OpenDir(t)
	testproc.Build(t, dir, "./server", "./sum")
	path := filepath.Join(dir, "s.sock")
	start(t, path, filepath.Join(dir, "server"), path, os.DevNull)
	got := testproc.Run(t, exec.CommandContext(t.Context(), filepath.Join(dir, "sum"), path))
	if want := "the sum of 64 MiB is 67108864\n"; got != want {
		t.Errorf("the client prints %q, want %q", got, want)
	}
}

func TestUnprivilegedServerGetsItsListenerFromRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of two users")
	}
	www, err := user.Lookup("www-data")
	if err != nil {
		t.Skipf("there is no user www-data: %v", err)
	}
	uid, err := strconv.ParseUint(www.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	dir := testproc.OpenDir(t)
	testproc.Build(t, dir, "./helper", "./web")
	path := filepath.Join(dir, "s.sock")
	start(t, path, filepath.Join(dir, "helper"), path)
	as := func(uid uint32) *exec.Cmd {
		cmd := exec.Command(filepath.Join(dir, "web"), path, "0")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		return cmd
	}

	web := testproc.StartCmd(t, as(uint32(uid)))
	t.Cleanup(web.Stop)
	said := web.Line()
	before, url, _ := strings.Cut(said, " serves ")
	if want := "uid " + www.Uid; before != want {
		t.Fatalf("the web server says %q, want that it is %s", said, want)
	}
	if got, want := get(t, url), "Hello from "+before+"!\n"; got != want {
		t.Errorf("the web server answers %q, want %q", got, want)
	}

	// Somebody else gets nothing.
	if output, err := as(uint32(uid) + 1).CombinedOutput(); err == nil || !strings.Contains(string(output), "PermissionDenied") {
		t.Errorf("another user: %v: %s", err, output)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
