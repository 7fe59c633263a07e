package ring

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// cgroups returns the directories of the cgroups that limit a process in what a controller is for: its own, and those
// above it as far as they can be seen. It is given what /proc says of both.
func cgroups(mounts, groups, controller string) (dirs []string) {
	for line := range strings.Lines(groups) {
		// 4:cpu,cpuacct:/path, or 0::/path in version 2
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[1] != "" && !hasField(fields[1], controller) {
			continue
		}
		root, point := cgroupMount(mounts, controller, fields[1] == "")
		if point == "" {
			continue
		}
		dir, ok := strings.CutPrefix(fields[2], root)
		if !ok {
			dir = "" // of a container that sees no more than itself
		}
		for dir = path.Join("/", dir); ; dir = path.Dir(dir) {
			dirs = append(dirs, path.Join(point, dir))
			if dir == "/" {
				break
			}
		}
	}
	return dirs
}

// ownCgroups returns those of this process.
func ownCgroups(controller string) []string {
	return cgroups(readFile("/proc/self/mountinfo"), readFile("/proc/self/cgroup"), controller)
}

// cgroupMount returns where cgroups are mounted that have the controller, and from which of them on.
func cgroupMount(mounts, controller string, version2 bool) (root, point string) {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		if version2 && kind[0] == "cgroup2" || !version2 && kind[0] == "cgroup" && hasField(kind[2], controller) {
			return strings.TrimSuffix(fields[3], "/"), fields[4]
		}
	}
	return "", ""
}

func hasField(list, field string) bool { return strings.Contains(","+list+",", ","+field+",") }

// readFile returns what is in a file, or "" if it cannot be read.
func readFile(name string) string {
	b, _ := os.ReadFile(name)
	return strings.TrimSpace(string(b))
}

// keepFree is how much memory must be left to a cgroup when it gets another ring. What it can give back is not counted
// exactly, and the next that wants memory should get it.
const keepFree = 16 * Size

// checkMemory returns an error if a cgroup has hardly any memory left. The kernel does not refuse more than there is:
// it kills a process of the cgroup.
func checkMemory(dirs []string, read func(name string) string) error {
	for _, dir := range dirs {
		limit, err := strconv.ParseUint(read(path.Join(dir, "memory.max")), 10, 63)
		used, err2 := strconv.ParseUint(read(path.Join(dir, "memory.current")), 10, 63)
		cache := "inactive_file "
		if err != nil || err2 != nil {
			limit, err = strconv.ParseUint(read(path.Join(dir, "memory.limit_in_bytes")), 10, 63)
			used, err2 = strconv.ParseUint(read(path.Join(dir, "memory.usage_in_bytes")), 10, 63)
			cache = "total_inactive_file "
		}
		if err != nil || err2 != nil || used+keepFree <= limit {
			continue // no limit, or far from it
		}
		for line := range strings.Lines(read(path.Join(dir, "memory.stat"))) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), cache); ok {
				free, _ := strconv.ParseUint(n, 10, 63)
				used -= min(used, free)
			}
		}
		if used+keepFree > limit {
			return fmt.Errorf("the cgroup %s uses %d of its %d bytes: %w", dir, used, limit, syscall.ENOMEM)
		}
	}
	return nil
}
