//go:build unix

package runtime

import "golang.org/x/sys/unix"

// maxDirectServerConns is how many connections of the direct transport a server serves: a quarter of
// the descriptors that the process may have, so that whatever clients do, the program has
// enough left, and HTTP/2, on which many calls share one, goes on.
func maxDirectServerConns() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return maxDirectClientConns
	}
	return int(min(uint64(limit.Cur)/4, 1<<20))
}
