package main

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// The exit statuses besides 0. Scripts depend on them: what one says stays. That of a condition is in
// conditionStatuses, that of a status code in codeStatus.
const (
	// statusDiffer is for several paths of which not all are in the same condition.
	statusDiffer = 1
	// statusFile is for a file or directory that cannot be read or written, and for output that cannot be written.
	statusFile = 1
	// statusUsage is for who does not say what to do, or says it wrongly.
	statusUsage = 2
	// statusNotServing is for a server that answers that it does not serve.
	statusNotServing = 3
	// statusCode is what is added to the code of a call that failed.
	statusCode = 64
)

// conditionStatuses are for paths that are all in one condition.
var conditionStatuses = []struct {
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

func conditionStatus(c socket.Condition) int {
	for _, s := range conditionStatuses {
		if s.condition == c {
			return s.status
		}
	}
	return statusDiffer
}

// conditionTable lists the statuses of the conditions for help.
func conditionTable() string {
	var table strings.Builder
	for _, s := range conditionStatuses {
		fmt.Fprintf(&table, "\t%2d  %s\n", s.status, s.condition)
	}
	return table.String()
}

// codeStatus is the exit status for a call that ended with the code.
func codeStatus(c codes.Code) int {
	if c == codes.OK {
		return 0
	}
	return statusCode + int(c)
}

// codeTable lists the statuses of the codes for help.
func codeTable() string {
	var table strings.Builder
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		fmt.Fprintf(&table, "\t%2d  %s\n", codeStatus(c), c)
	}
	return table.String()
}

// exit is the error of a verb that has told everything itself: the status to end with.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// ending returns the error for a verb that ends with a status.
func ending(status int) error {
	if status == 0 {
		return nil
	}
	return exit(status)
}
