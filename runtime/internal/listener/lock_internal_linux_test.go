package listener

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/opendir"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// Between opening a lock file and locking it, a cleaner may remove it and another process
// make it again: then the lock is on a file that nobody will look at again.
func TestLockOnARemovedFileIsNone(t *testing.T) {
	d, err := opendir.Open(t.TempDir() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := openLock(d, ".x.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !d.IsStill(".x.lock", f) {
		t.Error("an untouched lock file is taken for another")
	}
	if err := d.Unlink(".x.lock"); err != nil {
		t.Fatal(err)
	}
	if d.IsStill(".x.lock", f) {
		t.Error("a removed lock file is taken for the one at the path")
	}
	again, err := openLock(d, ".x.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if d.IsStill(".x.lock", f) {
		t.Error("a new lock file is taken for the removed one")
	}
}

// In an unsafe directory somebody could replace the socket right after bind; what the
// listener then changed the mode of, or removed, would not be its own.
func TestPinRefusesWhatIsNoSocket(t *testing.T) {
	dir := t.TempDir() + "/"
	d, err := opendir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	target := filepath.Join(t.TempDir(), "target")
	l, err := net.Listen("unix", target)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(os.Symlink(target, dir+"link"), os.WriteFile(dir+"file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "file"} {
		if p, err := pinFile(d, name); !errors.Is(err, sockerr.ErrUnsafeDir) {
			t.Errorf("pinning %s: %v", name, err)
			if err == nil {
				p.close()
			}
		}
	}
}
