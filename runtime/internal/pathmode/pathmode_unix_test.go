//go:build unix

package pathmode_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/pathmode"
)

// tree makes the directories top/middle/bottom with modes, and returns top.
func tree(t *testing.T, modes ...fs.FileMode) string {
	t.Helper()
	top, err := os.MkdirTemp("", "pathmode")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	if top, err = filepath.EvalSymlinks(top); err != nil {
		t.Fatal(err)
	}
	if narrow := pathmode.NarrowDir(top, true); narrow != "" {
		t.Skipf("the directory for temporary files is in %s, which keeps others out", narrow)
	}
	dir := top
	for i, mode := range modes {
		if i > 0 {
			dir = filepath.Join(dir, []string{"", "middle", "bottom"}[i])
			if err := os.Mkdir(dir, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

func TestNarrowDirIsTheFirstThatKeepsUsersOut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		top, middle, bottom fs.FileMode
		everyone            bool
		want                string // below top
	}{
		{0o755, 0o755, 0o755, true, "none"},
		{0o755, 0o700, 0o700, false, "middle"},
		{0o755, 0o755, 0o700, false, "middle/bottom"},
		{0o755, 0o750, 0o755, false, "none"}, // a group may pass
		{0o755, 0o750, 0o755, true, "middle"},
		{0o700, 0o750, 0o700, true, "."},
	} {
		top := tree(t, tc.top, tc.middle, tc.bottom)
		got := "none"
		if dir := pathmode.NarrowDir(filepath.Join(top, "middle", "bottom", "s.sock"), tc.everyone); dir != "" {
			var err error
			if got, err = filepath.Rel(top, dir); err != nil {
				t.Fatal(err)
			}
		}
		if got != tc.want {
			t.Errorf("of %+v it is %s", tc, got)
		}
	}
	if dir := pathmode.NarrowDir("/no/such/directory/s.sock", true); dir != "" {
		t.Errorf("of a directory that is not there it is %q", dir)
	}
}

// A directory of another user may be that of the very user that should pass.
func TestDirectoryOfAnotherUserIsNotNarrow(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	top := tree(t, 0o755, 0o700)
	if err := os.Chown(filepath.Join(top, "middle"), 4711, -1); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(top, "middle", "s.sock")
	if dir := pathmode.NarrowDir(path, false); dir != "" {
		t.Errorf("for some users it is %s", dir)
	}
	if dir := pathmode.NarrowDir(path, true); dir != filepath.Dir(path) {
		t.Errorf("for everyone it is %q", dir)
	}
}

func TestModesLetGroupsOrEveryoneIn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode                    fs.FileMode
		connect, everyone, pass bool
	}{
		{0o600, false, false, false},
		{0o660, true, false, false},
		{0o666, true, true, false},
		{0o644, false, false, false},
		{0o750, false, false, true},
		{0o701, false, false, true},
	} {
		if pathmode.LetsConnect(tc.mode) != tc.connect || pathmode.LetsEveryoneConnect(tc.mode) != tc.everyone || pathmode.LetsPass(tc.mode) != tc.pass {
			t.Errorf("%#o is not as in %+v", tc.mode, tc)
		}
	}
}
