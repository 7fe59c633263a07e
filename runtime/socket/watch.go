package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Watch calls changed whenever a file appears at the address, disappears, or changes its mode, or
// the lock file beside it does, until ctx ends; then it returns nil. It is also called when the
// watch begins, for what happened before. Directories on the way may be missing at first, or go and come
// again.
//
// It is for clients that wait for a server, and for servers that look after their file. A
// socket file appears a moment before its server listens, so a client should then try again
// at short intervals for a while.
//
// changed is called on the goroutine of Watch. The error is about the system: it can run out of
// what it watches with (on Linux fs.inotify.max_user_instances, 128 for each user by
// default). An abstract name, which has no file, is [ErrUnsupported].
func Watch(ctx context.Context, addr Address, changed func()) error {
	if addr.abstract {
		return fmt.Errorf("watch %s: an abstract name: %w", addr, ErrUnsupported)
	}
	w, err := fsnotify.NewBufferedWatcher(16)
	if err != nil {
		return fmt.Errorf("watch %s: %w", addr, err)
	}
	defer w.Close()
	there := true // the directory was, the last time
	for ctx.Err() == nil {
		if err := watchNearest(ctx, w, addr.name, &there, changed); err != nil {
			return fmt.Errorf("watch %s: %w", addr, err)
		}
	}
	return nil
}

// watchNearest watches the directory of path, or the nearest one above it that exists. It
// returns when another directory has become the nearest, or ctx ends.
func watchNearest(ctx context.Context, w *fsnotify.Watcher, path string, there *bool, changed func()) error {
	dir, err := addNearest(w, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer w.Remove(dir)
	// What came before the watch began makes no event, and nor may a directory that has gone.
	atPath := dir == filepath.Dir(path)
	if atPath || *there {
		changed()
	}
	*there = atPath
	if !atPath && exists(childOnWay(dir, path)) {
		return nil
	}
	const gone = fsnotify.Remove | fsnotify.Rename
	lock := filepath.Join(dir, lockName(filepath.Base(path)))
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-w.Events:
			switch {
			case event.Name == dir && event.Has(gone):
				return nil
			case atPath && (event.Name == path || event.Name == lock) && event.Has(fsnotify.Create|fsnotify.Chmod|gone):
				changed()
			case !atPath && event.Has(fsnotify.Create):
				return nil
			case !exists(dir):
				return nil
			}
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			// It may have been among the events that were lost.
			if !atPath {
				return nil
			}
			changed()
		}
	}
}

// addNearest adds dir, or the nearest directory above it that exists.
func addNearest(w *fsnotify.Watcher, dir string) (string, error) {
	for {
		err := w.Add(dir)
		above := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || above == dir {
			return dir, err
		}
		dir = above
	}
}

// childOnWay returns the entry of dir, a directory above path, that leads to path.
func childOnWay(dir, path string) string {
	for above := filepath.Dir(path); above != dir; above = filepath.Dir(path) {
		path = above
	}
	return path
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
