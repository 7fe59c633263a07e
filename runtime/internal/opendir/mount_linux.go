package opendir

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// isMountPlain reports whether a file of the directory, or the directory itself if name is empty, is known
// to be on a mount that does not map ids (mount_setattr(2)). This is unknown without /proc, and before
// Linux 5.8.
func (d *Dir) isMountPlain(name string) bool {
	var st unix.Statx_t
	err := unix.Statx(d.FD, name, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
	if err != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return false
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && listsPlainMount(mounts, st.Mnt_id)
}

// listsPlainMount looks for a mount in a list such as /proc/self/mountinfo (proc_pid_mountinfo(5)), where
// the first field of a line is the id and the sixth the options.
func listsPlainMount(mounts []byte, id uint64) bool {
	for line := range bytes.Lines(mounts) {
		fields := bytes.Fields(line)
		if len(fields) < 6 || string(fields[0]) != strconv.FormatUint(id, 10) {
			continue
		}
		return !slices.ContainsFunc(bytes.Split(fields[5], []byte(",")), func(option []byte) bool {
			return string(option) == "idmapped"
		})
	}
	return false
}
