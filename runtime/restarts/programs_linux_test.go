package restarts_test

import (
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"greeter":                    greetertest.Program,
	greetertest.SuccessorProgram: greetertest.TakeOverAndServe,
	"take over at once":          takeOverAtOnce,
	"serve activated":            serveActivated,
	"activate again":             activateAgain,
	"call by default":            callByDefault,
	"serve unwatched":            serveUnwatched,
}
