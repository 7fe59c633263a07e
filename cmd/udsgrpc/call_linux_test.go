package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestServerOfAnotherUserIsCalledOnlyIfNamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root")
	}
	dir := socketDir(t)
	if err := os.Chown(dir, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.sock")
	cmd := testproc.Command(t, "greet", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}}
	server := testproc.StartCmd(t, cmd)
	server.Line()
	args := []string{"call", path, "greeter.v1.Greeter/Greet", "-d", `{"name": "Ada"}`}
	call(t, args...).want(t, 71, "uid 1234", "nothing was sent to it", "--server-user 1234")
	call(t, append(args, "--server-user", "1235")...).want(t, 71, "uid 1234")
	for _, user := range []string{"1234", "anyone"} {
		call(t, append(args, "--server-user", user)...).want(t, 0, `"greeting":"Hello, Ada!"`)
	}
	call(t, "ls", dir).want(t, 0, "greeter.v1.Greeter", "greet") // which sends nothing that is secret
}
