package peek

import (
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// Bytes is [sockerr.ErrUnsupported] on Windows, where bytes cannot be peeked.
func Bytes(*net.UnixConn, []byte, func([]byte) bool) (int, error) { return 0, sockerr.ErrUnsupported }

// Arrived is false on Windows.
func Arrived(*net.UnixConn, []byte) bool { return false }
