//go:build !linux

package peercred

import (
	"os"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// OpenPidfd is for Linux only.
func OpenPidfd(int) (*os.File, error) { return nil, sockerr.ErrUnsupported }
