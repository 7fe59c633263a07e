package socket

import "github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"

// Errors that callers test with [errors.Is]. The errors returned by this package wrap one of them, and the
// errno behind it if there is one. Their text says which path was tried, what was found there, and what to
// do.
var (
	// ErrInUse means that another process, or another listener of this one, owns the path.
	ErrInUse = sockerr.ErrInUse

	// ErrNotSocket means that something other than a socket is at the path. It is not changed.
	ErrNotSocket = sockerr.ErrNotSocket

	// ErrPathTooLong means that the path does not fit into the kernel's socket address:
	// 107 bytes on Linux and Windows, 103 on the BSDs and darwin.
	ErrPathTooLong = sockerr.ErrPathTooLong

	// ErrUnsafeDir means that users other than root and the caller can replace files in the
	// directory of the path.
	ErrUnsafeDir = sockerr.ErrUnsafeDir

	// ErrUnsupported means that the operating system lacks what was requested.
	ErrUnsupported = sockerr.ErrUnsupported
)
