//go:build unix

package socket_test

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// runAs makes a command run as another user, without any supplementary group.
func runAs(cmd *exec.Cmd, uid uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Dir = "/"
}
