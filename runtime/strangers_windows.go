package runtime

import "io/fs"

// isStrangers reports true: on Windows modes say nothing.
func isStrangers(fs.FileInfo) bool { return true }
