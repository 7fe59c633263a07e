package difftest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	goleak.VerifyTestMain(m)
}
