package socket

import "net"

// PeekByte is [ErrUnsupported] on Windows, where a byte cannot be peeked.
func PeekByte(*net.UnixConn) (byte, error) { return 0, ErrUnsupported }

// Peek is [ErrUnsupported] here, as PeekByte is.
func Peek(*net.UnixConn, []byte, func([]byte) bool) (int, error) { return 0, ErrUnsupported }
