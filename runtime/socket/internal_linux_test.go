package socket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// Between opening a lock file and locking it, a cleaner may remove it and another process
// make it anew: then the lock is on a file that nobody will look at again.
func TestLockOnARemovedFileIsNone(t *testing.T) {
	d, err := openDir(t.TempDir() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	f, err := d.openLock(".x.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !d.isStill(".x.lock", f) {
		t.Error("an untouched lock file is taken for another")
	}
	if err := d.unlink(".x.lock"); err != nil {
		t.Fatal(err)
	}
	if d.isStill(".x.lock", f) {
		t.Error("a removed lock file is taken for the one at the path")
	}
	again, err := d.openLock(".x.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if d.isStill(".x.lock", f) {
		t.Error("a new lock file is taken for the removed one")
	}
}

// In an unsafe directory somebody could replace the socket right after bind; what the
// listener then changed the mode of, or removed, would not be its own.
func TestPinRefusesWhatIsNoSocket(t *testing.T) {
	dir := t.TempDir() + "/"
	d, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
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
		if p, err := d.pin(name); !errors.Is(err, ErrUnsafeDir) {
			t.Errorf("pinning %s: %v", name, err)
			if err == nil {
				p.close()
			}
		}
	}
}
