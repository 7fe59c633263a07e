//go:build darwin || freebsd

package peercred

import (
	"os"

	"golang.org/x/sys/unix"
)

func ofXucred(fd int) (Credentials, error) {
	p := nobodyKnown()
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return p, os.NewSyscallError("getsockopt LOCAL_PEERCRED", err)
	}
	gids := cred.Groups[:max(0, min(int(cred.Ngroups), len(cred.Groups)))]
	gid := ^uint32(0)
	if len(gids) > 0 {
		gid, gids = gids[0], gids[1:]
	}
	p.setUser(cred.Uid, gid)
	p.addGroups(gids)
	return p, nil
}
