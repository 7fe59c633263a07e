package filewatch

import "golang.org/x/sys/unix"

const (
	dirEvents     = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	closingEvents = unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
)

// Dir starts a watch of the entries of dir with these names: that they appear, disappear or change their
// mode.
func Dir(dir string, names ...string) (*Watch, error) {
	return startInotify(dir, dirEvents, names...)
}

// Closing starts a watch of the file at path: that a process which has it open for writing closes it, or
// dies.
func Closing(path string) (*Watch, error) { return startInotify(path, closingEvents) }
