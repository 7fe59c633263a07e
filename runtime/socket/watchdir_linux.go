package socket

import "golang.org/x/sys/unix"

// dirWatch tells of entries of a directory that come, go or change their mode.
type dirWatch = inotifyWatch

const dirEvents = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_ATTRIB |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// watchDir begins to watch entries of dir with these names.
func watchDir(dir string, names ...string) (*dirWatch, error) {
	return watchInotify(dir, dirEvents, names...)
}
