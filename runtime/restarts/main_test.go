// Package restarts_test has the tests of how servers begin and end and follow one another, and of what their clients
// notice: drain, takeover, standby, socket activation, healing of a lost socket, reconnecting, and what is counted and
// logged of all that.
package restarts_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }
