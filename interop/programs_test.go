package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// need returns where a program is, and skips the row if it is missing.
func (c *cell) need(program, debianPackage string) string {
	c.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		c.missing("there is no %s: install Debian's package %s, as install.sh does", program, debianPackage)
	}
	return path
}

// missing skips the row, and fails it where everything has to be there.
func (c *cell) missing(format string, args ...any) {
	c.Helper()
	if os.Getenv("UDSGRPC_CI") == "1" {
		c.Fatalf("UDSGRPC_CI is set, but "+format, args...)
	}
	c.remark = fmt.Sprintf(format, args...)
	c.Skip(c.remark)
}

// goTool builds, or finds in Go's cache, a program that the module file pins, and returns its
// path. The version goes into the table.
func (c *cell) goTool(modfile, name, module string) string {
	c.Helper()
	path, err := exec.CommandContext(c.Context(), "go", "tool", "-modfile="+modfile, "-n", name).Output()
	if err != nil {
		c.missing("%s cannot be built: %v: %s", name, err, stderrOf(err))
	}
	version := c.output(exec.CommandContext(c.Context(), "go", "list", "-modfile="+modfile, "-m", "-f", "{{.Version}}", module))
	c.version = name + " " + strings.TrimSpace(strings.TrimPrefix(version, "v"))
	return strings.TrimSpace(string(path))
}

// output runs a command that has to succeed and returns what it prints.
func (c *cell) output(cmd *exec.Cmd) string {
	c.Helper()
	out, err := cmd.Output()
	if err != nil {
		c.Fatalf("%s: %v: %s%s", cmd.Args[0], err, out, stderrOf(err))
	}
	return string(out)
}

// firstLine is for programs that say their version in it, on one stream or the other.
func (c *cell) firstLine(program string, args ...string) string {
	c.Helper()
	out, err := exec.CommandContext(c.Context(), program, args...).CombinedOutput()
	if err != nil {
		c.Fatalf("%s: %v: %s", program, err, out)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// child is the test binary as one of its programs; see TestMain.
func child(ctx context.Context, t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	// grpc says why it ends the process only if it is asked to log errors. With the race
	// detector a process waits for a second at its end, unless told otherwise.
	cmd.Env = append(os.Environ(), programEnv+"="+program, "GRPC_GO_LOG_SEVERITY_LEVEL=error", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// moduleVersion is that of a module which the test itself is linked with.
func moduleVersion(c *cell, module string) string {
	c.Helper()
	version := c.output(exec.CommandContext(c.Context(), "go", "list", "-m", "-f", "{{.Version}}", module))
	return strings.TrimPrefix(strings.TrimSpace(version), "v")
}
