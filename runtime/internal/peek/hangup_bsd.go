//go:build unix && !linux

package peek

import "golang.org/x/sys/unix"

const pollHangUp = unix.POLLHUP
