package filewatch

import (
	"context"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inotify is an instance of inotify(7), which all watches of the process share. A user has 128 of them by
// default, and once they are used up other programs of that user fail. So a process uses at most one,
// however many clients, servers and standbys wait in it. Only a package variable can be shared by all of
// them.
//
// One of the waiting goroutines reads the events of all, and passes the reading on when it returns. So
// there is no goroutine without an owner. There is no channel either: the waiting goroutines may be in
// different bubbles of testing/synctest, which must not send to each other.
//
// fsnotify, which other systems use here, identifies directories by path, so two paths to one directory
// disturb each other. It also wakes up for every write to any file there.
type inotify struct {
	file *os.File
	fd   int

	// Guarded by the mutex of sharedInotify:
	watches map[int32][]*Watch // by the kernel's id of the watched inode
	open    map[*Watch]bool    // true for those that wait while another goroutine reads
	reader  *Watch             // nil if no goroutine reads
}

// sharedInotify is the instance in use, nil for none. It is opened with the first watch and closed with
// the last one.
var sharedInotify struct {
	sync.Mutex
	*inotify
}

// Watch reports changes to a file or directory. It has to be closed.
type Watch struct {
	in    *inotify
	id    int32
	names []string // of the entries of a directory that matter; none for all

	gate sync.Mutex // locked; opened once for a goroutine that waits while another reads

	// Guarded by the mutex of sharedInotify:
	opened  bool // the gate
	changed bool // since the last wait
	removed bool // the watched file or directory is no longer at its path
}

// startInotify starts a watch of the file or directory at path, for events of these kinds.
func startInotify(path string, kinds uint32, names ...string) (*Watch, error) {
	sharedInotify.Lock()
	defer sharedInotify.Unlock()
	in := sharedInotify.inotify
	if in == nil {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return nil, os.NewSyscallError("inotify_init1", err)
		}
		in = &inotify{
			file:    os.NewFile(uintptr(fd), "inotify"),
			fd:      fd,
			watches: map[int32][]*Watch{},
			open:    map[*Watch]bool{},
		}
		sharedInotify.inotify = in
	}
	// It may be watched already, for the same events or others.
	id, err := unix.InotifyAddWatch(in.fd, path, kinds|unix.IN_MASK_ADD)
	if err != nil {
		in.closeUnused()
		return nil, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	w := &Watch{in: in, id: int32(id), names: names}
	w.gate.Lock()
	in.open[w] = false
	in.watches[w.id] = append(in.watches[w.id], w)
	return w, nil
}

// Close ends the watch. No goroutine may be waiting for it.
func (w *Watch) Close() {
	sharedInotify.Lock()
	defer sharedInotify.Unlock()
	delete(w.in.open, w)
	if !w.removed {
		others := slices.DeleteFunc(w.in.watches[w.id], func(other *Watch) bool { return other == w })
		w.in.watches[w.id] = others
		if len(others) == 0 {
			delete(w.in.watches, w.id)
			// This fails if the file has gone and the event was not read yet.
			unix.InotifyRmWatch(w.in.fd, uint32(w.id))
		}
	}
	w.in.closeUnused()
}

// closeUnused closes the instance if there is no watch. The caller holds the mutex, as for all functions
// below.
func (in *inotify) closeUnused() {
	if len(in.open) > 0 {
		return
	}
	if sharedInotify.inotify == in {
		sharedInotify.inotify = nil
	}
	in.file.Close()
}

// IsRemoved reports whether the watched file or directory is no longer at the path. Then no more changes
// are reported.
func (w *Watch) IsRemoved() bool {
	sharedInotify.Lock()
	defer sharedInotify.Unlock()
	return w.removed
}

// Wait returns true when there was a change since it last returned true, or when the watched file or
// directory was removed. It returns false when ctx ends or that much time has passed.
func (w *Watch) Wait(ctx context.Context, atMost time.Duration) (changed bool) {
	over := false
	end := func() {
		sharedInotify.Lock()
		defer sharedInotify.Unlock()
		over = true
		if w.in.reader == w {
			w.in.file.SetReadDeadline(time.Unix(0, 0))
		} else {
			w.rouse()
		}
	}
	defer time.AfterFunc(atMost, end).Stop()
	defer context.AfterFunc(ctx, end)()
	sharedInotify.Lock()
	defer sharedInotify.Unlock()
	for !w.changed && !w.removed && !over {
		if w.in.reader == nil {
			w.in.read(w)
		} else {
			w.in.open[w] = true
			sharedInotify.Unlock()
			w.gate.Lock()
			sharedInotify.Lock()
			w.in.open[w], w.opened = false, false
		}
	}
	changed, w.changed = w.changed || w.removed, false
	if w.in.reader == nil {
		w.in.passOn()
	}
	return changed
}

// read reads events for all watches, on behalf of one of them. It releases the mutex while it reads.
func (in *inotify) read(reader *Watch) {
	in.reader = reader
	in.file.SetReadDeadline(time.Time{})
	sharedInotify.Unlock()
	buf := make([]byte, 16<<10)
	n, err := in.file.Read(buf)
	sharedInotify.Lock()
	in.reader = nil
	if err != nil && !os.IsTimeout(err) {
		in.fail()
	}
	for b := buf[:max(n, 0)]; len(b) >= unix.SizeofInotifyEvent; {
		b = in.dispatch(b)
	}
}

// passOn lets another waiting goroutine read.
func (in *inotify) passOn() {
	for w, waits := range in.open {
		if waits {
			w.rouse()
			return
		}
	}
}

// fail ends all watches when events cannot be read. Their owners start new ones, with another instance.
func (in *inotify) fail() {
	if sharedInotify.inotify == in {
		sharedInotify.inotify = nil
	}
	for id := range in.watches {
		in.remove(id)
	}
}

// dispatch passes on the first event in b, and returns the others.
func (in *inotify) dispatch(b []byte) (rest []byte) {
	id, kinds := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
	end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
	name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")
	switch {
	case kinds&unix.IN_Q_OVERFLOW != 0: // the lost events may have been for any watch
		for w := range in.open {
			w.tell()
		}
	case kinds&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0:
		if in.watches[id] != nil && kinds&unix.IN_MOVE_SELF != 0 {
			unix.InotifyRmWatch(in.fd, uint32(id)) // the inode still exists elsewhere
		}
		in.remove(id)
	default:
		for _, w := range in.watches[id] {
			if name == "" || len(w.names) == 0 || slices.Contains(w.names, name) {
				w.tell()
			}
		}
	}
	return b[end:]
}

// remove records that an inode is no longer where it was.
func (in *inotify) remove(id int32) {
	for _, w := range in.watches[id] {
		w.removed = true
		w.tell()
	}
	delete(in.watches, id)
}

// tell records a change.
func (w *Watch) tell() {
	w.changed = true
	w.rouse()
}

// rouse wakes a goroutine that waits while another reads.
func (w *Watch) rouse() {
	if w.in.open[w] && !w.opened {
		w.opened = true
		w.gate.Unlock()
	}
}
