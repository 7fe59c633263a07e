//go:build !linux

package socket_test

import "github.com/udsgrpc/udsgrpc/runtime/internal/child"

// programs are the processes that tests start.
var programs = map[string]child.Program{
	"listen":   listenAndSayHello,
	"diagnose": diagnose,
}

const (
	hasPeerPID   = false
	hasLongPaths = false
)
