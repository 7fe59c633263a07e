package listener

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// The ways that kernels older than Linux 6.6 are left with.
func TestModeIsSetWithoutFchmodat2(t *testing.T) {
	t.Parallel()
	for name, chmod := range map[string]func(*pin, uint32) error{"through /proc": (*pin).chmodThroughProc, "by name": (*pin).chmodByName} {
		path := fixture.FreePath(t)
		p := pinned(t, path)
		if err := chmod(p, 0o640); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: the mode is %v, %v", name, info.Mode(), err)
		}
	}
}

func TestModeOfWhatHasReplacedTheSocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	p := pinned(t, path)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := p.chmodByName(0o666); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the file is %v, %v", info.Mode(), err)
	}
}

func TestModeIsNotSetByNameWhereOthersCanReplaceTheSocket(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	p := pinned(t, path)
	if err := os.Chmod(p.dir.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := p.chmodByName(0o666); !errors.Is(err, sockerr.ErrUnsafeDir) {
		t.Errorf("error is %v", err)
	}
}

// pinned makes a socket at path and pins it.
func pinned(t *testing.T, path string) *pin {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dir, name := filepath.Split(path)
	d, err := opendir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	p, err := pinFile(d, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}
