package udstest_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/child"
)

func TestMain(m *testing.M) { child.Main(m, nil) }
