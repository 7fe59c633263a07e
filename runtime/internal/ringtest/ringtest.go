// Package ringtest is for the tests of other packages: it makes their calls go over rings in shared memory from the
// first on, which a program's calls have to earn. With UDSGRPC_SOCKET_ONLY=1 in the environment, the tests run over
// sockets alone.
package ringtest

import (
	"os"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
)

// Begin is called before anything else, by TestMain.
func Begin() { direct.RingsAtOnce.Store(os.Getenv("UDSGRPC_SOCKET_ONLY") == "") }

// Moved returns how many of n connections that carry calls have moved to rings.
func Moved(n int64) int64 {
	if direct.RingsAtOnce.Load() {
		return n
	}
	return 0
}
