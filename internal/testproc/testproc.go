// Package testproc lets a test start real processes: the test binary runs itself again as one
// of the programs that the test declares.
package testproc

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// programEnv names the program to be, in a child's environment.
const programEnv = "UDSGRPC_TEST_PROGRAM"

// patience is how long a test waits for a line of a child, or for its end, far longer than any takes: a test
// that waits for what never comes then names itself, and does not cost the whole run.
const patience = 3 * time.Minute

// Program is what a child process runs. An error is printed and ends it with status 1.
type Program func(args []string) error

// Main is for TestMain: it runs the tests, and checks that they leave no goroutine behind,
// or runs a program if the process is a child.
func Main(m *testing.M, programs map[string]Program) {
	name, isChild := os.LookupEnv(programEnv)
	if !isChild {
		goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
			if path, err := executable(); err == nil {
				os.RemoveAll(filepath.Dir(path))
			}
			os.Exit(code)
		}))
	}
	run, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no program %q\n", name)
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// WaitForKill never returns. An empty select would not do: without cgo Go ends a process in which
// every goroutine waits for another.
func WaitForKill() error {
	for {
		time.Sleep(time.Hour)
	}
}

// Process is a running child. Its methods are for the test's goroutine, but Kill.
type Process struct {
	*exec.Cmd
	t      testing.TB
	lines  *bufio.Scanner
	stderr strings.Builder
	wait   func() error
}

// Start starts a program. What still runs at the end of the test is killed.
func Start(t testing.TB, program string, args ...string) *Process {
	t.Helper()
	return StartCmd(t, Command(t, program, args...))
}

// Command returns the command that Start starts, to be changed before [StartCmd]. It can be
// executed by every user.
func Command(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	// With the race detector a process waits for a second at its end, unless told otherwise.
	cmd.Env = append(os.Environ(), programEnv+"="+program, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// StartCmd starts what Command returned, or another program.
func StartCmd(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, t: t}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	if cmd.Stderr == nil {
		cmd.Stderr = &p.stderr
		cmd.WaitDelay = patience // a child of the child may keep it open
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.wait = sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		p.Kill()
		p.wait()
	})
	return p
}

// Line waits for the next line that the process prints, and fails the test if it ends
// instead.
func (p *Process) Line() string {
	p.t.Helper()
	line, ok := p.NextLine()
	if !ok {
		p.t.Fatalf("the child ended: %v\n%s", p.wait(), p.stderr.String())
	}
	return line
}

// NextLine is Line for a process that may end.
func (p *Process) NextLine() (string, bool) {
	p.t.Helper()
	hung := time.AfterFunc(patience, p.Kill)
	printed := p.lines.Scan()
	if !hung.Stop() {
		p.t.Errorf("the child printed nothing for %v", patience)
	}
	if !printed {
		return "", false
	}
	return p.lines.Text(), true
}

// Kill ends the process as kill -9 does.
func (p *Process) Kill() {
	if err := p.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
}

// Stop ends the process with SIGTERM, waits for its end, and fails the test if that is not a good one.
func (p *Process) Stop() {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	if err := p.WaitExit(); err != nil {
		p.t.Errorf("%s: %v", filepath.Base(p.Path), err)
	}
}

// WaitExit waits for the end of the process; the error has what it printed on stderr.
func (p *Process) WaitExit() error {
	hung := time.AfterFunc(patience, p.Kill)
	err := p.wait()
	if !hung.Stop() {
		return fmt.Errorf("the child did not end for %v and was killed: %s", patience, p.stderr.String())
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, p.stderr.String())
	}
	return nil
}

// executable returns a copy of the test binary in a directory that every user may enter;
// the one that go test makes is in a private one.
var executable = sync.OnceValues(func() (path string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "udsgrpc-test")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(self))
	// A child that is being started has a copy of every descriptor until its exec, and nobody can execute a
	// file that one of them writes.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return path, errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, program, 0o755), os.Chmod(path, 0o755))
})
