// Command udsgrpc helps with sockets that do not work.
//
//	udsgrpc doctor PATH...
//	udsgrpc --version
//
// For each path, doctor says in what condition the socket is and what to do about it. Its exit status
// tells the condition to scripts; udsgrpc doctor --help lists them. See [socket.Diagnose], which
// does the work.
package main

import (
	"fmt"
	"io"
	"os"
)

const usage = `udsgrpc helps with Unix domain sockets that do not work.

Usage:

	udsgrpc doctor PATH...   say why a server can or cannot be reached on each path
	udsgrpc doctor --help    say what the exit statuses mean
	udsgrpc --version        say which udsgrpc this is

A PATH has any form that a server or client takes: /run/app.sock, unix:app.sock,
unix:///run/app.sock, @name, unix-abstract:name.
`

// statusUsage is the exit status of who does not say what to do.
const statusUsage = 2

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) (status int) {
	switch {
	case len(args) == 1 && (args[0] == "help" || isHelp(args[0])):
		fmt.Fprint(stdout, usage)
		return 0
	case len(args) == 1 && args[0] == "--version":
		fmt.Fprintln(stdout, "udsgrpc", toolVersion())
		return 0
	case len(args) > 0 && args[0] == "doctor":
		return doctor(args[1:], stdout, stderr)
	default:
		fmt.Fprint(stderr, usage)
		return statusUsage
	}
}

func isHelp(arg string) bool { return arg == "-h" || arg == "--help" }
