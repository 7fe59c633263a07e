// Package sockerr has the errors of package socket, which documents them, for the packages that socket is
// built on.
package sockerr

import "errors"

// The values that package socket has under the same names, without the prefix Err.
var (
	InUse       = errors.New("socket is in use")
	NotSocket   = errors.New("not a socket")
	PathTooLong = errors.New("socket path too long")
	UnsafeDir   = errors.New("unsafe directory")
	Unsupported = errors.New("not supported on this platform")
)
