//go:build !amd64 && !arm64

package ring

// pause waits for a moment.
//
//go:noinline
func pause() {}
