// Package restarts_test has the tests of how servers begin and end and follow one another, and of what their clients
// notice: drain, takeover, standby, socket activation, healing of a lost socket, reconnecting, and what is counted and
// logged of all that.
package restarts_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}
