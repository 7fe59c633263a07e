package faults_test

import (
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// programs are the processes that tests start.
var programs = map[string]testproc.Program{
	"greeter":                   greetertest.Program,
	"greeter with few files":    serveWithFewFiles,
	"greeter with small shares": serveSmallShares,
	"call without descriptors":  callWithoutDescriptors,
	"stream forever":            streamForever,
	"serve guests":              serveGuests,
	"hold silent":               holdSilent,
	"greeter under a limit":     serveUnderALimit,
	"call under a limit":        callUnderALimit,
	"serve and note":            serveAndNote,
	"call and note":             callAndNote,
	"call at once":              callAtOnce,
	"flood":                     flood,
	"visit":                     visitFor,
}
