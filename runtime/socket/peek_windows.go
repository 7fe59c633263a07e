package socket

import "net"

// PeekByte is for systems where one can look at a byte and leave it; here it is
// [ErrUnsupported].
func PeekByte(*net.UnixConn) (byte, error) { return 0, ErrUnsupported }
