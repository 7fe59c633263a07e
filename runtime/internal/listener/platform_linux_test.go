package listener_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"rob":                rob,
	"take over":          takeOverAndSayHello,
	"activate":           activate,
	"rebind in vain":     rebindInVain,
	"inherit in vain":    inheritInVain,
	"listen in jail":     listenInJail,
	"abandon as another": abandonAsAnother,
}

// runAs makes a command run as another user, without any supplementary group.
func runAs(cmd *exec.Cmd, uid uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Dir = "/"
}

// longPath returns a free path that does not fit into a socket address.
func longPath(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(fixture.ShortDir(t), strings.Repeat("s", opendir.MaxPath))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "s.sock")
}
