//go:build unix

package runtime

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func supportsChildren() error { return nil }

// bequeath makes the socket and the lifeline and adds both to the command. It returns the
// files that are to be closed when the command was started.
func (c *Child) bequeath() (passed []*os.File, err error) {
	bound, err := socket.Bind(c.path)
	if err != nil {
		return nil, err
	}
	passed = append(passed, bound)
	lifeline, end, err := newLifeline()
	if err != nil {
		return passed, err
	}
	c.lifeline = lifeline
	passed = append(passed, end)
	env := slices.DeleteFunc(c.cmd.Environ(), func(v string) bool { return strings.HasPrefix(v, "NOTIFY_SOCKET=") })
	c.cmd.Env = append(env,
		listenPathEnv+"="+c.path,
		fmt.Sprintf("%s=%d", listenFDEnv, c.pass(bound)),
		fmt.Sprintf("%s=%d", lifelineFDEnv, c.pass(end)))
	return passed, nil
}

// pass returns the number that f will have in the child.
func (c *Child) pass(f *os.File) int {
	c.cmd.ExtraFiles = append(c.cmd.ExtraFiles, f)
	return 2 + len(c.cmd.ExtraFiles) // behind standard input, output and error
}

// childPolicy says which server to expect at the socket: one of the child's user. As the
// socket's directory is private there is none other, but for root's.
func childPolicy(cmd *exec.Cmd) []DialOption {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Credential == nil {
		return nil
	}
	return []DialOption{WithServerPolicy(AllowUID(int(cmd.SysProcAttr.Credential.Uid)))}
}
