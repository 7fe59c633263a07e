//go:build unix

package runtime

import (
	"math"

	"golang.org/x/sys/unix"
)

// descriptorShare is how many descriptors connections of the direct transport may take: a quarter of
// those that the process may have. So a program has enough left whatever its clients do, and
// HTTP/2, where many calls share one, goes on.
func descriptorShare() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return maxDirectConns
	}
	return int(min(uint64(limit.Cur), math.MaxInt32) / 4)
}
