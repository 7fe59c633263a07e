//go:build unix && !linux

package socket

import "golang.org/x/sys/unix"

// rootDir is empty: root gets a directory in the temporary one, like every user. On darwin a group may
// write to /var/run, which Listen would refuse.
const rootDir = ""

const pollHangUp = unix.POLLHUP
