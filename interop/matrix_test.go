package interop

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var write = flag.String("write", "", "write the table to this file")

// section is one table of the matrix.
type section struct {
	name  string // of the subtest
	title string
	rows  []row
}

// row is one line of it: something that runs by itself, or in a short run only if it is quick.
type row struct {
	name string
	slow bool
	run  func(c *cell)
}

// result is what the table says of a row.
type result struct {
	version string // of what is at the other end
	outcome string
	remark  string
}

// cell is the test of one row, which takes note of what the table is to say.
type cell struct {
	*testing.T
	result
	checks int

	// lateReplies are what some programs say, instead of DeadlineExceeded, when the server notices a
	// deadline before the client does. There are none for most.
	lateReplies []string

	// odd is what is known to come of some cases instead of what should.
	odd map[string]string
}

// TestMatrix runs every row and then writes the table, also if some have failed.
func TestMatrix(t *testing.T) {
	sections := []section{
		{"clients", "Clients of this project's server", append(goClients(), append(toolClients(), foreignClients()...)...)},
		{"servers", "Servers that this project's client calls", servers()},
		{"bridges", "Bridges in between", append(nginxRows(), otherBridges()...)},
		{"paths", "Paths", pathRows()},
		{"limits", "Metadata of all bytes, compression, deadlines, messages over 4 MiB and long errors: clients", eachLanguage(moreOfClient)},
		{"limits-servers", "The same: servers that this project's client calls", slowly(eachLanguage(moreOfServer))},
		{"takeovers", "Takeovers of this project's server while eight callers call", append(ourTakeovers(), eachLanguage(takeovers)...)},
		{"restarts", "Restarts of this project's server while eight callers call", slowly(eachLanguage(restarts))},
		{"restarts-servers", "Restarts of other servers while eight callers of this project's client call", slowly(eachLanguage(foreignRestarts))},
		{"drains", "A stream that is open when this project's server is told to stop goes on", eachLanguage(drains)},
		{"drains-servers", "A stream of this project's client that is open when another server is told to stop", slowly(eachLanguage(foreignDrains))},
		{"stale", "What other servers do about the file of one that was killed, and of one that runs", slowly(eachLanguage(staleFiles))},
		{"refused", "What a client is told whose user may not call", slowly(eachLanguage(refused))},
		{"silence", "Keepalive of ten seconds on a silent stream", []row{silence()}},
	}
	results := make([][]result, len(sections))
	for i, s := range sections {
		results[i] = make([]result, len(s.rows))
		t.Run(s.name, func(t *testing.T) {
			for j, r := range s.rows {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					r.do(t, &results[i][j])
				})
			}
		})
	}
	if *write != "" {
		if err := writeReport(*write, sections, results); err != nil {
			t.Fatal(err)
		}
	}
}

// do runs the row; the deferred part sees how it ended however it ended.
func (r row) do(t *testing.T, to *result) {
	c := &cell{T: t, result: result{outcome: "not run"}}
	defer func() {
		switch {
		case t.Failed():
			c.outcome = "**failed**"
		case t.Skipped():
			c.outcome = "skipped"
		default:
			c.outcome = fmt.Sprintf("ok, %d checks", c.checks)
			if c.checks == 1 {
				c.outcome = "ok, 1 check"
			}
		}
		*to = c.result
	}()
	if r.slow && testing.Short() {
		c.remark = "takes long; left out of a short run"
		t.Skip(c.remark)
	}
	r.run(c)
	if c.checks == 0 {
		t.Error("the row has checked nothing")
	}
}

// check counts something that had to hold.
func (c *cell) check(ok bool, format string, args ...any) {
	c.Helper()
	c.checks++
	if !ok {
		c.Errorf(format, args...)
	}
}

// contains checks that a program has printed each of want.
func (c *cell) contains(printed string, want ...string) {
	c.Helper()
	for _, w := range want {
		c.check(strings.Contains(printed, w), "want %q in:\n%s", w, printed)
	}
}

// Errorf and Fatalf put the first reason into the table, too.
func (c *cell) Errorf(format string, args ...any) {
	c.Helper()
	c.note(fmt.Sprintf(format, args...))
	c.T.Errorf(format, args...)
}

func (c *cell) Fatalf(format string, args ...any) {
	c.Helper()
	c.note(fmt.Sprintf(format, args...))
	c.T.Fatalf(format, args...)
}

// say adds to the remark, unless that has a reason for failure, which matters more.
func (c *cell) say(remark string) {
	switch {
	case c.Failed():
	case c.remark == "":
		c.remark = remark
	default:
		c.remark += "; " + remark
	}
}

func (c *cell) note(reason string) {
	if !c.Failed() {
		c.remark, _, _ = strings.Cut(strings.TrimSpace(reason), "\n")
	}
}
