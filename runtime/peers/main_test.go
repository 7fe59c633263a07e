// Package peers_test has the tests of who may connect and call: identity of both ends, policies and declared rules,
// refusals, the audit log, and users whom a namespace does not map.
package peers_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}
