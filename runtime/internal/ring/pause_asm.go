//go:build amd64 || arm64

package ring

// pause lets the processor wait for a moment, as between two looks at a word that another core will change.
//
//go:noescape
func pause()
