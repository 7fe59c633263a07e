package socket

import (
	"os"
	"path/filepath"
)

// defaultDir returns the directory of default paths, and makes it if it is missing. Its access control
// list is that of the user's local data.
func defaultDir() (string, error) {
	parent, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "udsgrpc")
	return dir, os.MkdirAll(dir, 0o700)
}
