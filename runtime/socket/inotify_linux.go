package socket

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// inotify is an instance of inotify(7), which all watches of the process share. A user has 128 of
// them by default, and once they are used up other programs of that user fail, so a process takes one at
// most, however many clients, servers and standbys wait in it. Nothing but a package variable can be
// shared by all of them.
//
// It is not fsnotify's, which elsewhere does this: that goes by paths, so that two paths to one directory
// get into each other's way, and wakes up for everything that is written to any file there.
type inotify struct {
	file  *os.File
	fd    int
	ended chan struct{} // closed when nobody reads events any more

	// Guarded by the mutex of sharedInotify:
	users   int
	watches map[int32][]*inotifyWatch // by what the kernel calls the inode that is watched
}

// sharedInotify is the instance in use, nil for none. It begins with the first watch and ends with the
// last one.
var sharedInotify struct {
	sync.Mutex
	*inotify
}

// inotifyWatch tells of changes to a file or directory. It has to be closed.
type inotifyWatch struct {
	C       chan struct{} // gets a value when there were changes since the last was received
	in      *inotify
	id      int32
	names   []string // of the entries of a directory that matter; none for all
	removed bool     // what was watched is not there any more; guarded as above
}

// watchInotify begins to watch what is at path for events of these kinds.
func watchInotify(path string, kinds uint32, names ...string) (*inotifyWatch, error) {
	in, err := useInotify()
	if err != nil {
		return nil, err
	}
	sharedInotify.Lock()
	// It may be watched already, for the same events or others.
	id, err := unix.InotifyAddWatch(in.fd, path, kinds|unix.IN_MASK_ADD)
	w := &inotifyWatch{C: make(chan struct{}, 1), in: in, id: int32(id), names: names}
	if err == nil {
		in.watches[w.id] = append(in.watches[w.id], w)
	}
	sharedInotify.Unlock()
	if err != nil {
		in.leave()
		return nil, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	return w, nil
}

// close ends the watch.
func (w *inotifyWatch) close() {
	sharedInotify.Lock()
	if !w.removed {
		others := slices.DeleteFunc(w.in.watches[w.id], func(other *inotifyWatch) bool { return other == w })
		w.in.watches[w.id] = others
		if len(others) == 0 {
			delete(w.in.watches, w.id)
			// It fails if the file has gone, of which the event has not been read yet.
			unix.InotifyRmWatch(w.in.fd, uint32(w.id))
		}
	}
	sharedInotify.Unlock()
	w.in.leave()
}

// isRemoved reports whether what was watched is not at the path any more. Then there are no more changes.
func (w *inotifyWatch) isRemoved() bool {
	sharedInotify.Lock()
	defer sharedInotify.Unlock()
	return w.removed
}

// useInotify returns the instance of the process, which has to be left.
func useInotify() (*inotify, error) {
	sharedInotify.Lock()
	defer sharedInotify.Unlock()
	if sharedInotify.inotify == nil {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return nil, os.NewSyscallError("inotify_init1", err)
		}
		in := &inotify{
			file:    os.NewFile(uintptr(fd), "inotify"),
			fd:      fd,
			ended:   make(chan struct{}),
			watches: map[int32][]*inotifyWatch{},
		}
		sharedInotify.inotify = in
		go in.run() // until the last user leaves, who waits for it
	}
	sharedInotify.users++
	return sharedInotify.inotify, nil
}

// leave is for who does not need the instance any more.
func (in *inotify) leave() {
	sharedInotify.Lock()
	in.users--
	last := in.users == 0
	if last {
		if sharedInotify.inotify == in {
			sharedInotify.inotify = nil
		}
		in.file.Close()
	}
	sharedInotify.Unlock()
	if last {
		<-in.ended
	}
}

// run passes events on until the instance is closed.
func (in *inotify) run() {
	defer close(in.ended)
	buf := make([]byte, 64<<10)
	for {
		n, err := in.file.Read(buf)
		sharedInotify.Lock()
		if err != nil {
			in.fail()
			sharedInotify.Unlock()
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			b = in.dispatch(b)
		}
		sharedInotify.Unlock()
	}
}

// fail ends what is left of the watches when events cannot be read: whoever watches begins anew, with
// another instance. The caller holds the mutex.
func (in *inotify) fail() {
	if sharedInotify.inotify == in {
		sharedInotify.inotify = nil
	}
	for id := range in.watches {
		in.remove(id)
	}
}

// dispatch passes on the first event in b, and returns the others. The caller holds the mutex.
func (in *inotify) dispatch(b []byte) (rest []byte) {
	id, kinds := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
	end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
	name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")
	switch {
	case kinds&unix.IN_Q_OVERFLOW != 0: // it may have been any that were lost
		for _, watches := range in.watches {
			for _, w := range watches {
				w.tell()
			}
		}
	case kinds&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0:
		if in.watches[id] != nil && kinds&unix.IN_MOVE_SELF != 0 {
			unix.InotifyRmWatch(in.fd, uint32(id)) // it lives on elsewhere
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

// remove takes note that an inode is not where it was. The caller holds the mutex.
func (in *inotify) remove(id int32) {
	for _, w := range in.watches[id] {
		w.removed = true
		w.tell()
	}
	delete(in.watches, id)
}

func (w *inotifyWatch) tell() {
	select {
	case w.C <- struct{}{}:
	default: // there is one that was not received yet
	}
}
