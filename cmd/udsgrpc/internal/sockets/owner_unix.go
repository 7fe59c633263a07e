//go:build unix

package sockets

import (
	"io/fs"
	"syscall"
)

// Owner returns the id of the user who owns a file.
func Owner(file fs.FileInfo) (uid int, ok bool) {
	stat, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
