//go:build !linux

package runtime_test

import "github.com/udsgrpc/udsgrpc/runtime/internal/child"

// programs are the processes that tests start.
var programs = map[string]child.Program{"greeter": serveGreeter}
