package testproc

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds packages, named as seen from the test's directory. What it makes is put into output
// if that is a directory, and is output if not.
func Build(t testing.TB, output string, packages ...string) {
	t.Helper()
	Run(t, exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", output}, packages...)...))
}

// Tool returns the path of a program that a Debian package has. Without it the test is skipped, or fails
// if UDSGRPC_CI=1 says that every program is installed.
func Tool(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("UDSGRPC_CI") == "1" {
			t.Fatalf("UDSGRPC_CI is set, but there is no %s: install Debian's package %s: %v", name, debian, err)
		}
		t.Skipf("there is no %s, of Debian's package %s: %v", name, debian, err)
	}
	return path
}

// Run runs a command that must succeed, and returns what it has printed.
func Run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", filepath.Base(cmd.Path), cmd.Args[1:], err, output)
	}
	return string(output)
}

// OpenDir returns a new directory that every user may enter, with a path that is short enough for
// sockets. That of t.TempDir is neither.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "uds")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
