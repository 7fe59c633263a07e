// Package files_test has the tests of open files in calls, over real processes: what arrives, who closes it, what is
// refused, and that no descriptor is left at either end.
package files_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }
