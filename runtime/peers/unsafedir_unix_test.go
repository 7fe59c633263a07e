//go:build unix

package peers_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestDirectoryOpenToOthersIsAskedForByName(t *testing.T) {
	t.Parallel()
	dir := fixture.ShortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil { // without the sticky bit, others can replace the socket
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	if srv, err := runtime.NewServer(path); !errors.Is(err, socket.ErrUnsafeDir) {
		if err == nil {
			_ = srv.Close()
		}
		t.Errorf("without the option the error is %v, want ErrUnsafeDir", err)
	}
	srv, err := runtime.NewServer(path, runtime.AllowUnsafeDir())
	if err != nil {
		t.Fatalf("with the option: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}
