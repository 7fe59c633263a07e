package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// statusDiffer is the exit status for several paths of which not all are in the same condition.
const statusDiffer = 1

// statuses are the exit statuses for paths that are all in one condition. Scripts depend on them: a condition
// keeps its number.
var statuses = []struct {
	condition socket.Condition
	status    int
}{
	{socket.Ready, 0},
	{socket.Unresponsive, 10},
	{socket.NotGRPC, 11},
	{socket.QueueFull, 12},
	{socket.Stale, 13},
	{socket.Missing, 14},
	{socket.Denied, 15},
	{socket.NotSocket, 16},
	{socket.PathTooLong, 17},
	{socket.Invalid, 18},
	{socket.Unreachable, 19},
}

func statusOf(c socket.Condition) int {
	for _, s := range statuses {
		if s.condition == c {
			return s.status
		}
	}
	return statusDiffer
}

const doctorUsage = `Usage: udsgrpc doctor PATH...

It says in what condition the socket on each path is and what to do about it. Run it as the
user, and in the container, that cannot reach the server. It changes nothing and takes two
seconds at most for a path.

Exit status, if all paths are in the same condition:

%s
Other exit statuses:

	%2d  paths are in different conditions
	%2d  the command was not told what to do
`

func printDoctorUsage(w io.Writer) {
	var table strings.Builder
	for _, s := range statuses {
		fmt.Fprintf(&table, "\t%2d  %s\n", s.status, s.condition)
	}
	fmt.Fprintf(w, doctorUsage, table.String(), statusDiffer, statusUsage)
}

// doctor diagnoses the paths that the arguments name.
func doctor(args []string, stdout, stderr io.Writer) (status int) {
	switch {
	case slices.ContainsFunc(args, isHelp):
		printDoctorUsage(stdout)
		return 0
	case len(args) == 0:
		printDoctorUsage(stderr)
		return statusUsage
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			fmt.Fprintf(stderr, "udsgrpc doctor: there is no flag %s (a file of that name is ./%s)\n\n", arg, arg)
			printDoctorUsage(stderr)
			return statusUsage
		}
	}
	for i, path := range args {
		d := socket.Diagnose(path)
		show(stdout, path, d)
		if s := statusOf(d.Condition); i == 0 {
			status = s
		} else if s != status {
			status = statusDiffer
		}
	}
	return status
}

func show(w io.Writer, path string, d socket.Diagnosis) {
	if d.Address != (socket.Address{}) {
		path = d.Address.String()
	}
	fmt.Fprintf(w, "%s: %s\n", path, d.Condition)
	fmt.Fprintf(w, "\t%s\n", d.Detail)
	if d.Err != nil {
		fmt.Fprintf(w, "\t(%v)\n", d.Err)
	}
}
