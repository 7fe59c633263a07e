package main

import (
	"bufio"
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
	old, oldSays := begin(t, daemon("-version", "v1", "start"))
	checkStatus(t, daemon("status"), old, "v1")

	upgraded, newSays := begin(t, daemon("-version", "v2", "start"))
	expect(t, oldSays, fmt.Sprintf("process %d (v1) ends", old.Process.Pid))
	if err := old.Wait(); err != nil {
		t.Errorf("v1: %v", err)
	}
	checkStatus(t, daemon("status"), upgraded, "v2")

	if output, err := daemon("stop").CombinedOutput(); err != nil || string(output) != "stopped\n" {
		t.Errorf("stop: %v: %s", err, output)
	}
	expect(t, newSays, fmt.Sprintf("process %d (v2) ends", upgraded.Process.Pid))
	if err := upgraded.Wait(); err != nil {
		t.Errorf("v2: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket file should be gone: %v", err)
	}
}

// begin starts a daemon and returns when it says that it serves, with what else it says.
func begin(t *testing.T, cmd *exec.Cmd) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // of no effect on one that has ended
	says := bufio.NewScanner(output)
	expect(t, says, fmt.Sprintf("process %d ", cmd.Process.Pid))
	return cmd, says
}

func expect(t *testing.T, says *bufio.Scanner, prefix string) {
	t.Helper()
	if !says.Scan() || !strings.HasPrefix(says.Text(), prefix) {
		t.Fatalf("the daemon says %q, want %q: %v", says.Text(), prefix, says.Err())
	}
}

func checkStatus(t *testing.T, cmd, running *exec.Cmd, version string) {
	t.Helper()
	want := fmt.Sprintf("process %d (%s) runs\n", running.Process.Pid, version)
	if output, err := cmd.CombinedOutput(); err != nil || string(output) != want {
		t.Errorf("status: %v: %q, want %q", err, output, want)
	}
}
