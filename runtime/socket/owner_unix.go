//go:build unix

package socket

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// isOwn reports whether a file is known to be this user's. It is name in the directory, or the
// directory itself if name is empty, and st is what stat(2) says of it.
func (d *dir) isOwn(name string, st unix.Stat_t) bool {
	return int(st.Uid) == os.Geteuid() && d.isOwnerKnown(name, st)
}

// isOwnerKnown reports whether the owner that stat(2) tells is a user, and not the number that stands
// for all whom it has none for. Those are the users who are unmapped in the user namespace, and on a
// mount that maps ids, which is possible in every namespace, the ones whom that maps to nobody.
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
