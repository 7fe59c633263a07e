package load_test

import (
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"greeter":                    greetertest.Program,
	"idle":                       idle,
	"echoes":                     echoes,
	"counted":                    counted,
	greetertest.SuccessorProgram: greetertest.TakeOverAndServe,
	"call and rest":              callAndRest,
}
