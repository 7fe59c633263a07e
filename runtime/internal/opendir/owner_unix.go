//go:build unix

package opendir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// IsOwn reports whether a file is known to be this user's: name in the directory, or the directory itself
// if name is empty. st is its stat(2).
func (d *Dir) IsOwn(name string, st unix.Stat_t) bool {
	return int(st.Uid) == os.Geteuid() && d.isOwnerKnown(name, st)
}

// isOwnerKnown reports whether the owner that stat(2) reports is a user, and not the number that stands
// for all unmapped owners. Those are users that are unmapped in the user namespace and, on a mount that
// maps ids, which is possible in every namespace, users that the mount does not map.
func (d *Dir) isOwnerKnown(name string, st unix.Stat_t) bool {
	uids := userns.UIDs()
	if int(st.Uid) != uids.Overflow() {
		return true
	}
	return uids.Unmapped() < 0 && d.isMountPlain(name)
}

// DescribeOwner names the owner of such a file.
func (d *Dir) DescribeOwner(name string, st unix.Stat_t) string {
	if d.isOwnerKnown(name, st) {
		return fmt.Sprintf("uid %d", st.Uid)
	}
	return userns.Describe(int(st.Uid))
}

// Describe returns what an operator needs to know about a file that could not be used.
func (d *Dir) Describe(name string) string {
	st, err := d.Lstat(name)
	if errors.Is(err, unix.ENOENT) {
		return "it does not exist and cannot be created"
	}
	return d.describeStat(name, st, err)
}

// DescribeSelf is Describe for the directory. It uses the descriptor, because a process that may not enter
// a directory cannot stat "." either.
func (d *Dir) DescribeSelf() string {
	var st unix.Stat_t
	err := unix.Fstat(d.FD, &st)
	return d.describeStat("", st, err)
}

func (d *Dir) describeStat(name string, st unix.Stat_t, err error) string {
	if err != nil {
		return fmt.Sprintf("it cannot be looked at by uid %d: %v", os.Geteuid(), err)
	}
	return fmt.Sprintf("it is %s of %s with mode %#o, and this process has uid %d",
		FileType(uint32(st.Mode)), d.DescribeOwner(name, st), uint32(st.Mode)&0o7777, os.Geteuid())
}
