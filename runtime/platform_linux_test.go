package runtime_test

import "github.com/udsgrpc/udsgrpc/runtime/internal/child"

// programs are the processes that tests start.
var programs = map[string]child.Program{
	"greeter":                      serveGreeter,
	"greeter with few files":       serveWithFewFiles,
	"call without descriptors":     callWithoutDescriptors,
	"stream forever":               streamForever,
	"take over and serve":          takeOverAndServe,
	"call all":                     callAll,
	"serve admin":                  serveAdmin,
	"call admin":                   callAdmin,
	"serve anyone":                 serveAnyone,
	"serve in namespaces":          serveInNamespaces,
	"make as an unmapped user":     makeAsUnmapped,
	"squat":                        squat,
	"serve activated":              serveActivated,
	"activate again":               activateAgain,
	"call by default":              callByDefault,
	"serve parent":                 serveParent,
	"start parent":                 startParent,
	"crash":                        crash,
	"exit without serving":         exitWithoutServing,
	"never serve":                  neverServe,
	"stay stubborn":                stayStubborn,
	"serve unwatched":              serveUnwatched,
	"show inheritance":             showInheritance,
	"serve guests":                 serveGuests,
	"hold silent":                  holdSilent,
	"call at once":                 callAtOnce,
	"flood":                        flood,
	"visit":                        visitFor,
	"take over at once":            takeOverAtOnce,
	"host at a terminal":           hostAtTerminal,
	"host that lends its terminal": hostThatLendsItsTerminal,
	"never mind signals":           neverMindSignals,
}
