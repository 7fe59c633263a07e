//go:build unix

package pathmode

import (
	"io/fs"
	"os"
	"syscall"
)

// isOtherUsers reports whether a directory belongs to a user that is neither root nor this process's. That
// may be the very user that should pass through.
func isOtherUsers(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	return ok && st.Uid != 0 && int(st.Uid) != os.Geteuid()
}
