package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestStartUpgradeStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "daemon")
	testproc.Build(t, program, ".")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(dir, "run", "daemon.sock")
	daemon := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, program, append([]string{"-socket", path}, args...)...)
	}

	if output, err := daemon("status").CombinedOutput(); err == nil || !strings.Contains(string(output), "no such file") {
		t.Errorf("status without a daemon: %v: %s", err, output)
	}
	old := begin(t, daemon("-version", "v1", "start"))
	checkStatus(t, daemon("status"), old, "v1")

	upgraded := begin(t, daemon("-version", "v2", "start"))
	expect(t, old, fmt.Sprintf("process %d (v1) ends", old.Process.Pid))
	if err := old.WaitExit(); err != nil {
		t.Errorf("v1: %v", err)
	}
	checkStatus(t, daemon("status"), upgraded, "v2")

	if output, err := daemon("stop").CombinedOutput(); err != nil || string(output) != "stopped\n" {
		t.Errorf("stop: %v: %s", err, output)
	}
	expect(t, upgraded, fmt.Sprintf("process %d (v2) ends", upgraded.Process.Pid))
	if err := upgraded.WaitExit(); err != nil {
		t.Errorf("v2: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket file should be gone: %v", err)
	}
}

// begin starts a daemon and returns when it says that it serves.
func begin(t *testing.T, cmd *exec.Cmd) *testproc.Process {
	t.Helper()
	daemon := testproc.StartCmd(t, cmd)
	expect(t, daemon, fmt.Sprintf("process %d ", cmd.Process.Pid))
	return daemon
}

func expect(t *testing.T, daemon *testproc.Process, prefix string) {
	t.Helper()
	if line := daemon.Line(); !strings.HasPrefix(line, prefix) {
		t.Fatalf("the daemon says %q, want %q", line, prefix)
	}
}

func checkStatus(t *testing.T, cmd *exec.Cmd, running *testproc.Process, version string) {
	t.Helper()
	want := fmt.Sprintf("process %d (%s) runs\n", running.Process.Pid, version)
	if output, err := cmd.CombinedOutput(); err != nil || string(output) != want {
		t.Errorf("status: %v: %q, want %q", err, output, want)
	}
}
