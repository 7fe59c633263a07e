package listener_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

func TestListenInADirectoryThatIsReplacedLeavesNoFileWithoutAnOwner(t *testing.T) {
	t.Parallel()
	above := filepath.Dir(fixture.FreePath(t))
	dir := filepath.Join(above, "app")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		replaced := make(chan error)
		go func() {
			for range i % 20 { // at each step of Listen at some time
				runtime.Gosched()
			}
			replaced <- errors.Join(os.Rename(dir, dir+strconv.Itoa(i)), os.Mkdir(dir, 0o700))
		}()
		l, err := (&listener.Config{}).Listen(t.Context(), filepath.Join(dir, "s.sock"))
		if err := <-replaced; err != nil {
			t.Fatal(err)
		}
		switch {
		case err == nil:
			l.Close()
		case !errors.Is(err, fs.ErrNotExist): // there was none for a moment
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(above + "/*/s.sock"); len(left) > 0 {
		t.Errorf("%d are left, as %v", len(left), left[0])
	}
}
