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

// Earn ends what Begin began: connections have to earn rings, as a program's do. A process that a test starts calls it to
// show what it costs others.
func Earn() { direct.RingsAtOnce.Store(false) }

// Moved returns how many of n connections that carry calls have moved to rings.
func Moved(n int64) int64 {
	if direct.RingsAtOnce.Load() {
		return n
	}
	return 0
}
