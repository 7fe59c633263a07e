// Package files_test has the tests of open files in calls, over real processes: what arrives, who closes it, what is
// refused, and that no descriptor is left at either end.
package files_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}
