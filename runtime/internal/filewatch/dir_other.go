//go:build !linux

package filewatch

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch reports entries of a directory that appear, disappear or change their mode. It has to be
// closed.
type Watch struct {
	changes chan struct{} // gets a value when there were changes since the last was received
	watcher *fsnotify.Watcher
	removed atomic.Bool
	reading sync.WaitGroup
}

// Dir starts a watch of the entries of dir with these names.
func Dir(dir string, names ...string) (*Watch, error) {
	watcher, err := fsnotify.NewBufferedWatcher(16)
	if err != nil {
		return nil, err
	}
	if err := watcher.Add(dir); err != nil {
		watcher.Close()
		return nil, err
	}
	w := &Watch{changes: make(chan struct{}, 1), watcher: watcher}
	w.reading.Go(func() { w.run(filepath.Clean(dir), names) }) // ends with Close, which waits for it
	return w, nil
}

// run passes events on until the watcher is closed.
func (w *Watch) run(dir string, names []string) {
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

// Wait returns true when there was a change since it last returned true, and false when ctx ends or that
// much time has passed.
func (w *Watch) Wait(ctx context.Context, atMost time.Duration) (changed bool) {
	select {
	case <-w.changes:
		return true
	case <-ctx.Done():
	case <-time.After(atMost):
	}
	return false
}

// IsRemoved reports whether the directory is not at the path any more.
func (w *Watch) IsRemoved() bool { return w.removed.Load() }

func (w *Watch) Close() {
	w.watcher.Close()
	w.reading.Wait()
}
