//go:build unix

package udstest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/udstest"
)

func TestPathIsShortPrivateAndGoneAfterwards(t *testing.T) {
	for name, tmp := range map[string]string{
		"as it is": os.TempDir(),
		"long":     filepath.Join(t.TempDir(), strings.Repeat("long", 30)),
		"missing":  filepath.Join(t.TempDir(), "missing"),
		"relative": ".",
	} {
		var dir string
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if name == "long" {
				if err := os.Mkdir(tmp, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("TMPDIR", tmp)
			path := udstest.Path(t)
			if len(path) > 103 || !filepath.IsAbs(path) {
				t.Errorf("the path is %s", path)
			}
			dir = filepath.Dir(path)
			if info, err := os.Lstat(dir); err != nil || info.Mode() != 0o700|fs.ModeDir {
				t.Errorf("the directory has mode %v, %v", info.Mode(), err)
			}
			if udstest.Path(t) == path {
				t.Error("two paths are the same")
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, "*")); name == "long" && len(left) > 0 {
				t.Errorf("left in TMPDIR: %v", left)
			}
			if err := os.WriteFile(filepath.Join(dir, "another file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			greet(t, greeting.Serve(t, newGreeter()))
		})
		fixture.CheckMissing(t, dir)
	}
}
