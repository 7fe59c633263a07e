package socket

import "net"

// PeekByte is for systems where one can look at a byte and leave it; here it is
// [ErrUnsupported].
func PeekByte(*net.UnixConn) (byte, error) { return 0, ErrUnsupported }

// Peek is [ErrUnsupported] here, as PeekByte is.
func Peek(*net.UnixConn, []byte, func([]byte) bool) (int, error) { return 0, ErrUnsupported }
