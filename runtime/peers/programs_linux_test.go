package peers_test

import (
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"greeter":                  greetertest.Program,
	"call all":                 callAll,
	"serve admin":              serveAdmin,
	"call admin":               callAdmin,
	"serve anyone":             serveAnyone,
	"serve in namespaces":      serveInNamespaces,
	"make as an unmapped user": makeAsUnmapped,
	"squat":                    squat,
}
