// Package pathmode says which users the modes of a socket and of the directories on its path keep out. It
// looks at modes alone: an access control list or a mount can let users pass all the same.
package pathmode

import (
	"io/fs"
	"os"
	"path/filepath"
)

// LetsConnect reports whether a socket file of this mode lets other users than its owner connect.
func LetsConnect(socket fs.FileMode) bool { return socket&0o022 != 0 }

// LetsEveryoneConnect reports whether a socket file of this mode lets everyone connect, and not only a
// group.
func LetsEveryoneConnect(socket fs.FileMode) bool { return socket&0o002 != 0 }

// LetsPass reports whether a directory of this mode lets other users than its owner pass through.
func LetsPass(dir fs.FileMode) bool { return dir&0o011 != 0 }

// NarrowDir returns the first directory on the way to path, from the root, whose mode keeps out users that
// are neither root nor this process's: all of them or, for everyone, some. It returns "" if there is none.
func NarrowDir(path string, everyone bool) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return ""
	}
	var narrow string
	for {
		info, err := os.Stat(dir)
		if err == nil && keepsOut(info, everyone) {
			narrow = dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return narrow
		}
		dir = parent
	}
}

func keepsOut(dir fs.FileInfo, everyone bool) bool {
	if everyone {
		return dir.Mode()&0o001 == 0
	}
	return !LetsPass(dir.Mode()) && !isOtherUsers(dir)
}
