//go:build unix

package childproc

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

// Supported returns nil where a child can inherit a socket, and otherwise an error that says so.
func Supported() error { return nil }

// User returns the uid that the command sets for its process, and -1 for none.
func User(cmd *exec.Cmd) int {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Credential == nil {
		return -1
	}
	return int(cmd.SysProcAttr.Credential.Uid)
}

// pass makes the socket and the lifeline, and adds both to the command. It returns the files to close when
// the command was started.
func (p *Process) pass(path string) (passed []*os.File, err error) {
	bound, err := listener.BindForChild(path)
	if err != nil {
		return nil, err
	}
	passed = append(passed, bound)
	lifeline, end, err := descriptors.Pair("lifeline")
	if err != nil {
		return passed, err
	}
	p.lifeline = lifeline
	passed = append(passed, end)
	env := slices.DeleteFunc(p.cmd.Environ(), func(v string) bool { return strings.HasPrefix(v, "NOTIFY_SOCKET=") })
	p.cmd.Env = append(env,
		ListenPathEnv+"="+path,
		fmt.Sprintf("%s=%d", ListenFDEnv, p.addFile(bound)),
		fmt.Sprintf("%s=%d", LifelineFDEnv, p.addFile(end)))
	return passed, nil
}

// addFile returns the number that f will have in the child.
func (p *Process) addFile(f *os.File) int {
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, f)
	return 2 + len(p.cmd.ExtraFiles) // behind standard input, output and error
}

// ownGroup gives the child its own process group, unless the caller has set something else. Only the
// foreground group of a terminal may read from it.
func ownGroup(cmd *exec.Cmd) {
	attr := syscall.SysProcAttr{}
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr // it may be the caller's, for several commands
	}
	if attr.Setpgid || attr.Setsid || attr.Foreground || isTerminal(cmd.Stdin) {
		return
	}
	attr.Setpgid = true
	cmd.SysProcAttr = &attr
}

// isTerminal reports whether a command's standard input is the terminal of this process.
func isTerminal(stdin io.Reader) bool {
	f, ok := stdin.(*os.File)
	if !ok {
		return false
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	terminal := false
	err = raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetInt(int(fd), unix.TIOCGPGRP)
		terminal = err == nil
	})
	return err == nil && terminal
}
