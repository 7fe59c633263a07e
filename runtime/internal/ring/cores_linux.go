package ring

import (
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
	return max(1, min(set.Count(), quota(ownCgroups("cpu"), readFile)))
}

// OneCore reports whether the process may use one core only because of its affinity. It takes one system call.
func OneCore() bool {
	var set unix.CPUSet
	return unix.SchedGetaffinity(0, &set) == nil && set.Count() == 1
}

const unlimited = 1 << 30

// quota returns how many whole cores cgroups allow.
func quota(dirs []string, read func(name string) string) int {
	cores := unlimited
	for _, dir := range dirs {
		cores = min(cores, quotaOf(dir, read))
	}
	return cores
}

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
