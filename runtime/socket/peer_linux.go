package socket

import "golang.org/x/sys/unix"

// peerPID returns the process id of the other end, 0 if not known.
func peerPID(fd int) int {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0
	}
	return int(cred.Pid)
}
