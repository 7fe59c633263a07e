// Package load_test has the tests of what many calls cost: herds, allocations, waits for the send budget, a soak,
// and benchmarks.
package load_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }
