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
	return max(1, min(Cores(), quota(ownCgroups("cpu"), readFile)))
}

// Cores returns how many cores the affinity of the process allows. It takes one system call.
func Cores() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return 1
	}
	return max(1, set.Count())
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
