package runtime_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

// Code that was generated once still compiles: a line may be added here, none may be removed.
const _ = runtime.SupportsGenerated1

// Tests over real processes are in packages beside this one, by what they are about: restarts, peers, children,
// faults, load. Here are the basic ones, examples, and those that need what is not exported.
func TestMain(m *testing.M) {
	ringtest.Begin()
	testproc.Main(m, programs)
}

// programs are the processes that tests and examples start.
var programs = map[string]testproc.Program{
	"serve parent":       greetertest.ServeParent,
	"complain and end":   complainAndEnd,
	"serve and complain": serveAndComplain,
}

// complainAndEnd is a program: it says much, and why it cannot serve, and ends
// with status 3.
func complainAndEnd(args []string) error {
	fmt.Fprintln(os.Stderr, strings.Repeat("chatter ", 1000))
	fmt.Fprintln(os.Stderr, "cannot find the", args[0])
	os.Exit(3)
	return nil
}

// serveAndComplain is a program that serves its parent, and then does what complainAndEnd does.
func serveAndComplain(args []string) error {
	if err := greetertest.ServeParent(nil); err != nil {
		return err
	}
	return complainAndEnd(args)
}

// newGreeter returns the service of tests and examples.
func newGreeter() *greetertest.Greeter { return greetertest.New() }
