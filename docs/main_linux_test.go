package docs_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if description := os.Getenv(sandboxVariable); description != "" {
		enterSandbox(description)
	}
	goleak.VerifyTestMain(m)
}
