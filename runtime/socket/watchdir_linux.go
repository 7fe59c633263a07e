package socket

import "golang.org/x/sys/unix"

// dirWatch reports entries of a directory that appear, disappear or change their mode.
type dirWatch = inotifyWatch

const dirEvents = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_ATTRIB |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// watchDir starts a watch of the entries of dir with these names.
func watchDir(dir string, names ...string) (*dirWatch, error) {
	return watchInotify(dir, dirEvents, names...)
}
