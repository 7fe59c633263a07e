package greetertest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// Nobody is the uid, and the gid, that stands for users whom a user namespace does not map.
const Nobody = 65534

// User is the user that a child runs as; the zero value is root.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// StartAs is [testproc.Start] for a program of another user. It takes root.
func StartAs(t *testing.T, u User, program string, args ...string) *testproc.Process {
	t.Helper()
	cmd := testproc.Command(t, program, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}}
	return testproc.StartCmd(t, cmd)
}

// PublicPath returns a free path in a directory that everyone may enter.
func PublicPath(t *testing.T) string {
	t.Helper()
	path := fixture.FreePath(t)
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// NeedRoot skips the test without root.
func NeedRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("becoming other users takes root")
	}
}
