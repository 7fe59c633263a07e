//go:build !linux

package socket_test

import "github.com/udsgrpc/udsgrpc/internal/testproc"

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"listen":   listenAndSayHello,
	"diagnose": diagnose,
}

const (
	hasPeerPID   = false
	hasLongPaths = false
)
