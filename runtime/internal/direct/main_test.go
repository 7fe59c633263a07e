package direct

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// The tests run over rings in shared memory, or over sockets alone with UDSGRPC_SOCKET_ONLY=1.
func TestMain(m *testing.M) {
	RingsAtOnce.Store(os.Getenv("UDSGRPC_SOCKET_ONLY") == "")
	goleak.VerifyTestMain(m)
}

// await receives a value from c.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(fixture.Guard):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}
