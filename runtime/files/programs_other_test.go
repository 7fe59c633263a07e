//go:build !linux

package files_test

import "github.com/udsgrpc/udsgrpc/internal/testproc"

// programs are the processes that tests start: none but on Linux.
var programs map[string]testproc.Program
