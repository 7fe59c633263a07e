package interop

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// programEnv names the program to be, in a child's environment.
const programEnv = "UDSGRPC_INTEROP_PROGRAM"

// TestMain runs the matrix, or a program if the process is a child: the test binary is every
// Go program that has to be a process of its own.
func TestMain(m *testing.M) {
	programs := map[string]func(args []string) error{
		"case":  runCase,
		"serve": runServer,
		"plain": runPlain,
		"told":  runTold,
	}
	name, isChild := os.LookupEnv(programEnv)
	if !isChild {
		goleak.VerifyTestMain(m)
	}
	program, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no program %q\n", name)
		os.Exit(2)
	}
	if err := program(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
