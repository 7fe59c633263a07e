// Package sockerr has the errors of package socket, which documents them, for the packages that socket is
// built on.
package sockerr

import "errors"

// Package socket has them under the same names.
var (
	ErrInUse       = errors.New("socket is in use")
	ErrNotSocket   = errors.New("not a socket")
	ErrPathTooLong = errors.New("socket path too long")
	ErrUnsafeDir   = errors.New("unsafe directory")
	ErrUnsupported = errors.New("not supported on this platform")
)
