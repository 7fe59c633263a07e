package children_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// hostAtTerminal is a program: a host with a child that has no handler of signals. At a Ctrl-C it calls its
// child, which it must find alive, and stops it.
func hostAtTerminal([]string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "UDSGRPC_TEST_PROGRAM=never mind signals")
	c, err := runtime.StartChild(context.Background(), cmd)
	if err != nil {
		return err
	}
	fmt.Println("press Ctrl-C")
	<-ctx.Done()
	resp, err := greeterv1.NewGreeterClient(c.Conn()).Greet(context.Background(), &greeterv1.GreetRequest{Name: "Ada"})
	fmt.Println(resp.GetGreeting(), err, c.Close())
	return nil
}

func TestCtrlCIsForTheHostAlone(t *testing.T) {
	t.Parallel()
	terminal, far := openTerminal(t)
	cmd := testproc.Command(t, "host at a terminal")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	far.Close()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(terminal)
	line := func() string {
		lines.Scan()
		return strings.TrimPrefix(strings.TrimSpace(lines.Text()), "^C") // the terminal echoes it
	}
	if got := line(); got != "press Ctrl-C" {
		t.Fatalf("the host says %q", got)
	}
	if _, err := terminal.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	if got, want := line(), "Hello, Ada <nil> <nil>"; got != want {
		t.Errorf("the host says %q, want %q", got, want)
	}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal is to be had: %v", err)
	}
	t.Cleanup(func() { near.Close() })
	number, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal is to be had: %v", err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

func TestChildHasTheProcessGroupThatTheCallerWants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attr *syscall.SysProcAttr
		own  bool
	}{
		"its own by default":        {nil, true},
		"its own with other wishes": {&syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT}, true},
		"another one that is named": {&syscall.SysProcAttr{Setpgid: true, Pgid: syscall.Getpgrp()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := testproc.Command(t, "never mind signals")
			cmd.SysProcAttr = c.attr
			serveInherited(t, cmd)
			group, err := syscall.Getpgid(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			if own := group == cmd.Process.Pid; own != c.own {
				t.Errorf("that the group %d of process %d is its own is %v", group, cmd.Process.Pid, own)
			}
			if c.attr != nil && c.own && c.attr.Setpgid {
				t.Error("the caller's SysProcAttr was changed")
			}
		})
	}
}

// A child that is to read from the terminal has to be in its foreground group.
func TestChildThatReadsFromTheTerminalStaysInTheGroup(t *testing.T) {
	t.Parallel()
	near, far := openTerminal(t)
	cmd := testproc.Command(t, "host that lends its terminal")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	far.Close()
	output, err := io.ReadAll(near) // to the end of the last process that has the far end
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got, want := strings.TrimSpace(string(output)), "same group: true"; got != want {
		t.Errorf("the host says %q, want %q", got, want)
	}
}

// hostThatLendsItsTerminal is a program: it starts a child with its own standard input, and says whether both
// are in one process group.
func hostThatLendsItsTerminal([]string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "UDSGRPC_TEST_PROGRAM=never mind signals")
	cmd.Stdin = os.Stdin
	c, err := runtime.StartChild(context.Background(), cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	group, err := syscall.Getpgid(cmd.Process.Pid)
	fmt.Println("same group:", err == nil && group == syscall.Getpgrp())
	return nil
}

func TestChildWithARelativeTemporaryDirectory(t *testing.T) {
	// Not parallel: the environment and the working directory are the process's.
	for _, dir := range []string{".", "tmp"} {
		work := fixture.ShortDir(t)
		if err := os.MkdirAll(filepath.Join(work, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := testproc.Command(t, "never mind signals")
		cmd.Dir = "/"
		t.Chdir(work)
		t.Setenv("TMPDIR", dir)
		c, client := serveInherited(t, cmd)
		greetertest.Greet(t, client)
		if !filepath.IsAbs(c.Path()) {
			t.Errorf("the path is %s", c.Path())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		checkTidy(t, cmd, c)
	}
}
