package socket_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Whichever event comes first: that of the directory, or one of the files in it.
func TestDirectoryThatIsMovedAwayIsAChange(t *testing.T) {
	t.Parallel()
	for range 50 {
		t.Run("", func(t *testing.T) { // ends its watch: a user has 128
			dir := filepath.Join(fixture.ShortDir(t), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			changes := watch(t, filepath.Join(dir, "s.sock"))
			for _, name := range []string{"x", "y"} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Fatal(err)
			}
			await(t, "the change", changes)
		})
	}
}

func TestDirectoryThatIsMissingWhenTheWatchBeginsIsAChange(t *testing.T) {
	t.Parallel()
	watch(t, filepath.Join(fixture.ShortDir(t), "none", "s.sock"))
}

// watch watches a path to the end of the test. It returns when the watch has begun.
func watch(t *testing.T, path string) (changes <-chan struct{}) {
	t.Helper()
	addr, err := socket.ParseAddress(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- socket.Watch(ctx, addr, func() { calls <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	await(t, "the beginning of the watch", calls)
	return calls
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(fixture.Guard):
		t.Fatalf("waited in vain for %s", what)
	}
}
