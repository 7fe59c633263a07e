// Command udsgrpc helps with sockets that do not work.
//
//	udsgrpc doctor PATH...
//	udsgrpc --version
//
// For each path, doctor says in what condition the socket is and what to do about it. It
// exits with status 0 if all of them are ready, 1 if one is not, and 2 if it was not told
// what to do. See [socket.Diagnose], which does the work.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

const usage = `udsgrpc helps with Unix domain sockets that do not work.

Usage:

	udsgrpc doctor PATH...   say why a server can or cannot be reached on each path
	udsgrpc --version        say which udsgrpc this is

A PATH has any form that a server or client takes: /run/app.sock, unix:app.sock,
unix:///run/app.sock, @name, unix-abstract:name.
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) (status int) {
	switch {
	case len(args) == 1 && (args[0] == "help" || args[0] == "-h" || args[0] == "--help"):
		fmt.Fprint(stdout, usage)
		return 0
	case len(args) == 1 && args[0] == "--version":
		fmt.Fprintln(stdout, "udsgrpc", version())
		return 0
	case len(args) >= 2 && args[0] == "doctor":
		return doctor(args[1:], stdout)
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
}

// version is the module's, which Go has put into the program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func doctor(paths []string, stdout io.Writer) (status int) {
	for _, path := range paths {
		d := socket.Diagnose(path)
		if d.Condition != socket.Ready {
			status = 1
		}
		shown := d.Address.String()
		if d.Address == (socket.Address{}) {
			shown = path
		}
		fmt.Fprintf(stdout, "%s: %s\n", shown, d.Condition)
		fmt.Fprintf(stdout, "\t%s\n", d.Detail)
		if d.Err != nil {
			fmt.Fprintf(stdout, "\t(%v)\n", d.Err)
		}
	}
	return status
}
