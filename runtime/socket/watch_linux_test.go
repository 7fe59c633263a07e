package socket_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Whichever event comes first: that of the directory, or one of the files in it.
func TestDirectoryThatIsMovedAwayIsAChange(t *testing.T) {
	t.Parallel()
	for range 50 {
		t.Run("", func(t *testing.T) { // ends its watch
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

// A user has 128 instances. Not parallel: it counts those of the process.
func TestAllWatchesAndStandbysOfAProcessShareOneInotifyInstance(t *testing.T) {
	before := inotifyInstances(t)
	path := fixture.FreePath(t)
	owner := listen(t, path)
	ctx, stop := context.WithCancel(t.Context())
	standby := make(chan error, 1)
	go func() {
		_, err := (&socket.ListenConfig{}).ListenStandby(ctx, path)
		standby <- err
	}()
	t.Run("", func(t *testing.T) {
		for range 140 {
			watch(t, fixture.FreePath(t))
		}
		changes := watch(t, path)
		if n := inotifyInstances(t) - before; n != 1 {
			t.Errorf("the watches take %d instances", n)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		await(t, "the change", changes)
	})
	stop()
	if err := <-standby; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	owner.Close()
	if n := inotifyInstances(t) - before; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

// A bubble ends while others still watch, and what happens outside is told inside.
func TestWatchesInBubblesOfSynctestAndOutsideShareAnInstance(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	outside := watch(t, path)
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			inside := watch(t, path)
			for _, change := range []func(string) error{func(path string) error { return os.WriteFile(path, nil, 0o600) }, os.Remove} {
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				await(t, "the change in the bubble", inside)
			}
		})
		await(t, "the changes outside", outside)
	}
}

func inotifyInstances(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && target == "anon_inode:inotify" {
			n++
		}
	}
	return n
}

// The kernel has one watch for both.
func TestPathsThatLeadToOneDirectoryAreWatchedEach(t *testing.T) {
	t.Parallel()
	dir := fixture.ShortDir(t)
	link := filepath.Join(fixture.ShortDir(t), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	direct, linked := filepath.Join(dir, "s.sock"), filepath.Join(link, "s.sock")
	changes := watch(t, linked)
	for range 3 {
		t.Run("", func(t *testing.T) { // ends the watch of the directory's own path, and then again
			own := watch(t, direct)
			if err := os.WriteFile(direct, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			await(t, "the change at the directory's path", own)
			await(t, "the change at the link's path", changes)
		})
		if err := os.Remove(direct); err != nil {
			t.Fatal(err)
		}
		await(t, "the removal", changes)
	}
}

func TestOtherFilesInTheDirectoryAreNoChange(t *testing.T) {
	t.Parallel()
	dir := fixture.ShortDir(t)
	changes := watch(t, filepath.Join(dir, "s.sock"))
	for _, name := range []string{"other", ".other.lock", "s.soc", "s.sock2"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := watch(t, filepath.Join(dir, "other")) // its events come in turn
	if err := os.Remove(filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	await(t, "the change of the other file", second)
	if len(changes) > 0 {
		t.Error("another file is taken for the socket")
	}
}

// What is in the way of a directory is told apart from it.
func TestDirectoryThatIsAFileOrADanglingLinkAtFirst(t *testing.T) {
	t.Parallel()
	for name, obstruct := range map[string]func(dir string) error{
		"file":          func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"dangling link": func(dir string) error { return os.Symlink("nowhere", dir) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(fixture.ShortDir(t), "d")
			if err := obstruct(dir); err != nil {
				t.Fatal(err)
			}
			changes := watch(t, filepath.Join(dir, "s.sock"))
			if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700)); err != nil {
				t.Fatal(err)
			}
			await(t, "the directory", changes)
			if err := os.WriteFile(filepath.Join(dir, "s.sock"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			await(t, "the file", changes)
		})
	}
}

// The kernel keeps the directory, and says nothing of its end, while a socket that is bound in it is open.
func TestDirectoryThatIsRemovedWithItsSocketInUseIsMissed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	dir := filepath.Join(fixture.ShortDir(t), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	listen(t, path)
	changes := watch(t, path)
	for _, name := range []string{path, fixture.LockPath(path)} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		await(t, "the removal of what is in it", changes)
	}
	if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the directory to be watched anew", changes)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, "a change in the new directory", changes)
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
