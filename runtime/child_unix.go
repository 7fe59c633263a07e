//go:build unix

package runtime

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

func supportsChildren() error { return nil }

// bequeath makes the socket and the lifeline and adds both to the command. It returns the files to close
// when the command was started.
func (p *childProcess) bequeath(path string) (passed []*os.File, err error) {
	bound, err := listener.Bind(path)
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
		listenPathEnv+"="+path,
		fmt.Sprintf("%s=%d", listenFDEnv, p.pass(bound)),
		fmt.Sprintf("%s=%d", lifelineFDEnv, p.pass(end)))
	return passed, nil
}

// pass returns the number that f will have in the child.
func (p *childProcess) pass(f *os.File) int {
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, f)
	return 2 + len(p.cmd.ExtraFiles) // behind standard input, output and error
}

// childPolicy returns the policy for the server at the socket: it must be of the child's user. The
// socket's directory is private, so there can be no other, except root's.
func childPolicy(cmd *exec.Cmd) []DialOption {
	if user := childUser(cmd); user >= 0 {
		return []DialOption{WithServerPolicy(AllowUID(user))}
	}
	return nil
}

// childUser returns the user that the command sets, and -1 for none.
func childUser(cmd *exec.Cmd) int {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Credential == nil {
		return -1
	}
	return int(cmd.SysProcAttr.Credential.Uid)
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
