package peercred

import (
	"os"

	"golang.org/x/sys/unix"
)

// OfSocket reads LOCAL_PEERCRED and LOCAL_PEERPID (<sys/un.h>). The first of the groups is the
// effective one.
func OfSocket(fd int) (Credentials, error) {
	p, err := ofXucred(fd)
	if err != nil {
		return p, err
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return p, os.NewSyscallError("getsockopt LOCAL_PEERPID", err)
	}
	p.PID, p.HasPID = pid, pid > 0
	return p, nil
}
