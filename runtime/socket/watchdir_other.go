//go:build !linux

package socket

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// dirWatch reports entries of a directory that appear, disappear or change their mode. It has to be
// closed.
type dirWatch struct {
	changes chan struct{} // gets a value when there were changes since the last was received
	watcher *fsnotify.Watcher
	removed atomic.Bool
	reading sync.WaitGroup
}

// watchDir starts a watch of the entries of dir with these names.
func watchDir(dir string, names ...string) (*dirWatch, error) {
	watcher, err := fsnotify.NewBufferedWatcher(16)
	if err != nil {
		return nil, err
	}
	if err := watcher.Add(dir); err != nil {
		watcher.Close()
		return nil, err
	}
	w := &dirWatch{changes: make(chan struct{}, 1), watcher: watcher}
	w.reading.Go(func() { w.run(filepath.Clean(dir), names) }) // ends with close, which waits for it
	return w, nil
}

// run passes events on until the watcher is closed.
func (w *dirWatch) run(dir string, names []string) {
	for {
		select {
		case event, ok := <-w.watcher.Events:
			switch {
			case !ok:
				return
			case event.Name == dir && event.Has(fsnotify.Remove|fsnotify.Rename):
				w.removed.Store(true)
			case event.Name != dir && !slices.Contains(names, filepath.Base(event.Name)), event.Op == fsnotify.Write:
				continue
			}
		case _, ok := <-w.watcher.Errors: // the lost event may have been a change
			if !ok {
				return
			}
		}
		select {
		case w.changes <- struct{}{}:
		default: // a value is waiting already
		}
	}
}

// wait returns true when there was a change since it last returned true, and false when ctx ends or that
// much time has passed.
func (w *dirWatch) wait(ctx context.Context, atMost time.Duration) (changed bool) {
	select {
	case <-w.changes:
		return true
	case <-ctx.Done():
	case <-time.After(atMost):
	}
	return false
}

// isRemoved reports whether the directory is not at the path any more.
func (w *dirWatch) isRemoved() bool { return w.removed.Load() }

func (w *dirWatch) close() {
	w.watcher.Close()
	w.reading.Wait()
}
