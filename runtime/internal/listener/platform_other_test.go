//go:build !linux

package listener_test

import "github.com/udsgrpc/udsgrpc/internal/testproc"

// programs are the processes that tests start.
var programs = map[string]testproc.Program{}
