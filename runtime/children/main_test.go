// Package children_test has the tests of processes that a program starts and that serve it: their listener, their
// identity, their process group and their end. Tests of a supervisor are beside the runtime, as they set its pauses.
package children_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}
