package peercred

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// OfSocket reads SO_PEERCRED and SO_PEERGROUPS (unix(7), socket(7)).
func OfSocket(fd int) (Credentials, error) {
	p := nobodyKnown()
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return p, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	p.setUser(cred.Uid, cred.Gid)
	p.PID, p.HasPID = int(cred.Pid), cred.Pid > 0
	gids, err := groupsOf(fd)
	if err != nil {
		return p, err
	}
	p.addGroups(gids)
	return p, nil
}

// groupsOf asks again with a larger buffer if the user has more groups than most.
func groupsOf(fd int) ([]uint32, error) {
	gids := make([]uint32, 64)
	for {
		size := uint32(len(gids)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(unsafe.SliceData(gids))), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return gids[:size/4], nil
		case unix.ERANGE: // size is the required size now
			gids = make([]uint32, size/4)
		case unix.ENODATA:
			return nil, nil
		default:
			return nil, os.NewSyscallError("getsockopt SO_PEERGROUPS", errno)
		}
	}
}

// OpenPidfd returns a descriptor for the process at the other end of a socket (pidfd_open(2)), and never for
// another process that was given its id later.
func OpenPidfd(fd int) (*os.File, error) {
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	switch {
	case errors.Is(err, unix.ENOPROTOOPT):
		return nil, fmt.Errorf("SO_PEERPIDFD, of Linux 6.5: %w: %w", sockerr.ErrUnsupported, err)
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
		return nil, fmt.Errorf("%w: %w", os.ErrProcessDone, err)
	case err != nil:
		return nil, os.NewSyscallError("getsockopt SO_PEERPIDFD", err)
	}
	return os.NewFile(uintptr(pidfd), "pidfd"), nil
}
