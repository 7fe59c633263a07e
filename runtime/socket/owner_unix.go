//go:build unix

package socket

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// isOwn reports whether a file is known to be this user's: name in the directory, or the directory itself
// if name is empty. st is its stat(2).
func (d *dir) isOwn(name string, st unix.Stat_t) bool {
	return int(st.Uid) == os.Geteuid() && d.isOwnerKnown(name, st)
}

// isOwnerKnown reports whether the owner that stat(2) reports is a user, and not the number that stands
// for all unmapped owners. Those are users that are unmapped in the user namespace and, on a mount that
// maps ids, which is possible in every namespace, users that the mount does not map.
func (d *dir) isOwnerKnown(name string, st unix.Stat_t) bool {
	uids := userns.UIDs()
	if int(st.Uid) != uids.Overflow() {
		return true
	}
	return uids.Unmapped() < 0 && d.isMountPlain(name)
}

// describeOwner names the owner of such a file.
func (d *dir) describeOwner(name string, st unix.Stat_t) string {
	if d.isOwnerKnown(name, st) {
		return fmt.Sprintf("uid %d", st.Uid)
	}
	return describeUnmapped(int(st.Uid))
}
