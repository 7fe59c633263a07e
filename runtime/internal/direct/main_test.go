package direct

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
