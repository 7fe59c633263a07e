package runtime

import "io/fs"

// isStrangers reports true: modes say nothing here.
func isStrangers(fs.FileInfo) bool { return true }
