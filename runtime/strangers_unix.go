//go:build unix

package runtime

import (
	"io/fs"
	"os"
	"syscall"
)

// isStrangers reports whether a directory belongs to a user who is neither root nor this process's. Such
// a user may be the one who is to pass through.
func isStrangers(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	return ok && st.Uid != 0 && int(st.Uid) != os.Geteuid()
}
