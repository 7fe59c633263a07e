package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/filewatch"
	"github.com/udsgrpc/udsgrpc/runtime/internal/listener"
)

// lookPause is how often a watch checks that the directory that it watches is still the one at its path.
// No event tells it that a directory further up was moved away, that another file system was mounted
// there, or that the directory was removed while a socket that is bound in it is open: the kernel keeps
// the directory until that is closed.
const lookPause = 10 * time.Second

// Watch calls changed whenever a file appears at the address, disappears, or changes its mode, or when the
// same happens to the lock file beside it, until ctx ends; then it returns nil. It also calls changed when
// the watch begins, for what happened before. Directories on the way may be missing at first, or disappear
// and come back; if there is no event for that, Watch notices within about ten seconds.
//
// It is for clients that wait for a server, and for servers that check their socket file. A socket file
// appears a moment before its server listens, so a client should then retry at short intervals for a
// while.
//
// changed is called on the goroutine of Watch. On Linux all watches of a process share one inotify
// instance. An error means that the directory may not be read, or that the system has no resources left
// for watches (on Linux fs.inotify.max_user_instances, 128 for each user by default). An abstract name,
// which has no file, is [ErrUnsupported].
func Watch(ctx context.Context, addr Address, changed func()) error {
	if addr.abstract {
		return fmt.Errorf("watch %s: an abstract name: %w", addr, ErrUnsupported)
	}
	there := true // whether the directory was there the last time
	for ctx.Err() == nil {
		if err := watchNearest(ctx, addr.name, &there, changed); err != nil {
			return fmt.Errorf("watch %s: %w", addr, err)
		}
	}
	return nil
}

// watchNearest watches the directory of path, or the nearest one above it that exists. It returns when
// another directory has become the nearest, or when ctx ends.
func watchNearest(ctx context.Context, path string, there *bool, changed func()) error {
	w, dir, err := watchDirAbove(path)
	if err != nil {
		return err
	}
	defer w.Close()
	// There is no event for a change before the watch began, nor always for a directory that was removed.
	atPath := dir.path == filepath.Dir(path)
	if atPath || *there {
		changed()
	}
	*there = atPath
	if !atPath && isDir(childOnWay(dir.path, path)) {
		return nil
	}
	for ctx.Err() == nil {
		if w.Wait(ctx, lookPause) && atPath && !w.IsRemoved() {
			changed()
		} else if !atPath {
			return nil
		}
		if w.IsRemoved() || !dir.isInPlace() {
			return nil
		}
	}
	return nil
}

// place is a directory and the path at which it was.
type place struct {
	path string
	info fs.FileInfo
}

// isInPlace reports whether the directory is still the one at its path.
func (p place) isInPlace() bool {
	info, err := os.Stat(p.path)
	return err == nil && os.SameFile(info, p.info)
}

// watchDirAbove watches for path in its directory, or for the next entry on the way to it in the nearest
// existing directory.
func watchDirAbove(path string) (*filewatch.Watch, place, error) {
	name := filepath.Base(path)
	names := []string{name, listener.LockName(name)}
	for dir := filepath.Dir(path); ; {
		// If there is another one by now, the next check finds out.
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() {
			var w *filewatch.Watch
			if w, err = filewatch.Dir(dir, names...); err == nil {
				return w, place{dir, info}, nil
			}
		}
		above := filepath.Dir(dir)
		if err != nil && !isMissing(err) || above == dir {
			return nil, place{}, err
		}
		dir, names = above, []string{filepath.Base(dir)}
	}
}

// isMissing reports whether an error says that there is no such directory.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// childOnWay returns the entry of dir, a directory above path, that leads to path.
func childOnWay(dir, path string) string {
	for above := filepath.Dir(path); above != dir; above = filepath.Dir(path) {
		path = above
	}
	return path
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
