//go:build unix && !linux

package socket

import "golang.org/x/sys/unix"

const pollHangUp = unix.POLLHUP
