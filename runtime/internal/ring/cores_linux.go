package ring

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// usableCores returns how many cores the process may keep busy: those of its affinity, or fewer if its cgroup, or one
// above it, gets less time than that. It is at least 1.
func usableCores() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return 1
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	groups, _ := os.ReadFile("/proc/self/cgroup")
	return max(1, min(set.Count(), quota(string(mounts), string(groups), readFile)))
}

func readFile(name string) string {
	b, _ := os.ReadFile(name)
	return strings.TrimSpace(string(b))
}

const unlimited = 1 << 30

// quota returns how many whole cores the cgroups of a process allow. It is given what /proc says of them, and how to
// read a file, which gives "" if there is none.
func quota(mounts, groups string, read func(name string) string) int {
	cores := unlimited
	for line := range strings.Lines(groups) {
		// 4:cpu,cpuacct:/path, or 0::/path in version 2
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[1] != "" && !hasField(fields[1], "cpu") {
			continue
		}
		root, point := cgroupMount(mounts, fields[1] == "")
		dir, ok := strings.CutPrefix(fields[2], root)
		if point == "" || !ok {
			dir = "" // of a container that sees no more than itself
		}
		for dir = path.Join("/", dir); point != ""; dir = path.Dir(dir) {
			cores = min(cores, quotaOf(path.Join(point, dir), read))
			if dir == "/" {
				break
			}
		}
	}
	return cores
}

// cgroupMount returns where cgroups are mounted that limit cpu time, and from which of them on.
func cgroupMount(mounts string, version2 bool) (root, point string) {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		if version2 && kind[0] == "cgroup2" || !version2 && kind[0] == "cgroup" && hasField(kind[2], "cpu") {
			return strings.TrimSuffix(fields[3], "/"), fields[4]
		}
	}
	return "", ""
}

func hasField(list, field string) bool { return strings.Contains(","+list+",", ","+field+",") }

// quotaOf returns how many whole cores one cgroup allows.
func quotaOf(dir string, read func(string) string) int {
	limit, period, ok := strings.Cut(read(path.Join(dir, "cpu.max")), " ")
	if !ok {
		limit, period = read(path.Join(dir, "cpu.cfs_quota_us")), read(path.Join(dir, "cpu.cfs_period_us"))
	}
	l, err := strconv.Atoi(limit)
	p, err2 := strconv.Atoi(period)
	if err != nil || err2 != nil || l <= 0 || p <= 0 { // "max", or -1
		return unlimited
	}
	return l / p
}

// countList returns how many numbers a list such as 0-3,8 has.
func countList(list string) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		if err != nil {
			return 0
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(last); err != nil {
				return 0
			}
		}
		n += b - a + 1
	}
	return n
}
