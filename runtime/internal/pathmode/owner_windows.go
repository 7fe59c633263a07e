package pathmode

import "io/fs"

// isOtherUsers reports true: on Windows modes say nothing.
func isOtherUsers(fs.FileInfo) bool { return true }
