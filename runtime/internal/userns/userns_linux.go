package userns

import (
	"os"
	"sync"
)

// UIDs and GIDs read /proc when they are first asked. That is kept for the life of the process: a
// process of several threads, as every Go program is, cannot change its user namespace (setns(2),
// unshare(2)), and the map of a namespace is written once. Only the overflow id could be changed, by
// root of the machine, which then takes effect in processes started later.
var (
	UIDs = sync.OnceValue(func() *IDs { return read("/proc/self/uid_map", "/proc/sys/kernel/overflowuid") })
	GIDs = sync.OnceValue(func() *IDs { return read("/proc/self/gid_map", "/proc/sys/kernel/overflowgid") })
)

func read(mapFile, overflowFile string) *IDs {
	idMap, err := os.ReadFile(mapFile)
	if err != nil {
		idMap = nil
	}
	overflow, err := os.ReadFile(overflowFile)
	if err != nil {
		overflow = nil
	}
	return parse(idMap, overflow)
}
