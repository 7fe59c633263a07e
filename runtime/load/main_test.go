// Package load_test has the tests of what many calls cost: herds, allocations, waits for the send budget, a soak,
// and benchmarks.
package load_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}
