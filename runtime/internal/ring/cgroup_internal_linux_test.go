package ring

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func TestQuotaOfCgroups(t *testing.T) {
	t.Parallel()
	const (
		v2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
		v1 = "34 33 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n" +
			"35 33 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		container = "29 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup cgroup rw,cpu\n"
	)
	for name, c := range map[string]struct {
		mounts, groups string
		files          map[string]string
		want           int
	}{
		"no cgroups":     {"", "", nil, unlimited},
		"no limit":       {v2, "0::/a/b\n", map[string]string{"/sys/fs/cgroup/a/b/cpu.max": "max 100000"}, unlimited},
		"version 2":      {v2, "0::/a/b\n", map[string]string{"/sys/fs/cgroup/a/b/cpu.max": "250000 100000"}, 2},
		"less than one":  {v2, "0::/a\n", map[string]string{"/sys/fs/cgroup/a/cpu.max": "50000 100000"}, 0},
		"one above":      {v2, "0::/a/b\n", map[string]string{"/sys/fs/cgroup/a/cpu.max": "100000 100000", "/sys/fs/cgroup/a/b/cpu.max": "400000 100000"}, 1},
		"at the root":    {v2, "0::/\n", map[string]string{"/sys/fs/cgroup/cpu.max": "300000 100000"}, 3},
		"version 1":      {v1, "4:cpu,cpuacct:/x\n3:memory:/y\n", map[string]string{"/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "200000", "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, 2},
		"version 1 free": {v1, "4:cpu,cpuacct:/x\n", map[string]string{"/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "-1", "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, unlimited},
		"container":      {container, "4:cpu:/docker/1\n", map[string]string{"/sys/fs/cgroup/cpu.cfs_quota_us": "100000", "/sys/fs/cgroup/cpu.cfs_period_us": "100000"}, 1},
		"elsewhere":      {container, "4:cpu:/other\n", map[string]string{"/sys/fs/cgroup/cpu.cfs_quota_us": "100000", "/sys/fs/cgroup/cpu.cfs_period_us": "100000"}, 1},
		"nonsense":       {v2, "0::/a\nx\n", map[string]string{"/sys/fs/cgroup/a/cpu.max": "1 0"}, unlimited},
	} {
		read := func(name string) string { return c.files[name] }
		if got := quota(cgroups(c.mounts, c.groups, "cpu"), read); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestMemoryIsNotTakenFromACgroupThatHasNone(t *testing.T) {
	t.Parallel()
	const limit = 1 << 30
	v2 := func(used, cache int) map[string]string {
		return map[string]string{"/g/memory.max": fmt.Sprint(limit), "/g/memory.current": fmt.Sprint(used), "/g/memory.stat": fmt.Sprintf("anon 1\ninactive_file %d\nx 2", cache)}
	}
	v1 := func(used, cache int) map[string]string {
		return map[string]string{"/g/memory.limit_in_bytes": fmt.Sprint(limit), "/g/memory.usage_in_bytes": fmt.Sprint(used), "/g/memory.stat": fmt.Sprintf("inactive_file 0\ntotal_inactive_file %d\n", cache)}
	}
	for name, c := range map[string]struct {
		files map[string]string
		full  bool
	}{
		"nothing known":              {nil, false},
		"no limit":                   {map[string]string{"/g/memory.max": "max", "/g/memory.current": "5"}, false},
		"version 2, enough":          {v2(limit/2, 0), false},
		"version 2, full":            {v2(limit-Size, 0), true},
		"version 2, full of a cache": {v2(limit, limit/2), false},
		"version 1, enough":          {v1(limit/2, 0), false},
		"version 1, full":            {v1(limit-Size, 0), true},
		"version 1, full of a cache": {v1(limit, limit/2), false},
	} {
		err := checkMemory([]string{"/g", "/"}, func(name string) string { return c.files[name] })
		if (err != nil) != c.full || c.full && !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}
