package children_test

import (
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"serve parent":                 serveParent,
	"never mind signals":           greetertest.ServeParent,
	"serve everyone":               serveEveryone,
	"start parent":                 startParent,
	"host at a terminal":           hostAtTerminal,
	"host that lends its terminal": hostThatLendsItsTerminal,
	"crash":                        crash,
	"exit without serving":         exitWithoutServing,
	"never serve":                  neverServe,
	"stay stubborn":                stayStubborn,
	"show inheritance":             showInheritance,
}
