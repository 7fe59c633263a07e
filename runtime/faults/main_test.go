// Package faults_test has the tests of what others do wrong and of what runs out: garbage, half-open connections, floods,
// shares of users, descriptors, servers that hang, and the errors that say so.
package faults_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}
