package channelz_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestMain(m *testing.M) { testproc.Main(m, programs) }
