package testproc

import (
	"os/exec"
	"testing"
)

// Build builds packages, named as seen from the test's directory. What it makes is put into output
// if that is a directory, and is output if not.
func Build(t testing.TB, output string, packages ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", output}, packages...)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, said)
	}
}
