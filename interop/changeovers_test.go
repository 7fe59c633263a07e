package interop

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// changes is how often a server is followed by another one.
func changes() int {
	if testing.Short() {
		return 3
	}
	return 10
}

const callers = 8

// unavailable is codes.Unavailable as clients print it.
const unavailable = "14"

// of runs the program with a path.
func (p program) of(ctx context.Context, path string) func(args ...string) *exec.Cmd {
	return func(args ...string) *exec.Cmd { return p(ctx, path, args...) }
}

// eachLanguage has a row for each.
func eachLanguage(run func(c *cell, l language)) []row {
	var rows []row
	for _, l := range languages() {
		rows = append(rows, row{name: l.name, slow: l.slow, run: func(c *cell) { run(c, l) }})
	}
	return rows
}

// slowly leaves rows out of a short run.
func slowly(rows []row) []row {
	for i := range rows {
		rows[i].slow = true
	}
	return rows
}

// takeovers has servers take the path of a running one over while clients call. No call may fail, or one of each
// caller's at each takeover where a library knows no better.
func takeovers(c *cell, l language) {
	path := socketPath(c)
	client := l.client(c)
	server := c.startOurs(path)
	load := c.startLoad(client.of(c.Context(), path), callers)
	c.takeoversUnder(load, path, server, l.lostInTakeovers)
}

func (c *cell) takeoversUnder(load *told, path string, server *daemon, mayLose bool) {
	c.Helper()
	for range changes() {
		c.pause()
		next := c.startOurs(path, "takeover")
		<-server.exited
		c.check(server.ProcessState.Success(), "the server before ends with %v: %s", server.ProcessState, server.log)
		server = next
	}
	c.pause()
	got := c.endLoad(load)
	c.check(got.Calls > got.Failed, "no call has succeeded: %s", load.log)
	bound := 0
	if mayLose {
		bound = changes() * callers
	}
	c.check(got.Failed <= bound, "%v: %s", got, got.Text)
	c.say(got.String())
}

// pause lets the clients call for a while.
func (c *cell) pause() {
	c.Helper()
	select {
	case <-time.After(300 * time.Millisecond):
	case <-c.Context().Done():
	}
}

func (c *cell) startOurs(path string, args ...string) *daemon {
	c.Helper()
	d := c.start(child(context.Background(), c, "serve", append([]string{path}, args...)...))
	c.says(d, "serving\n")
	return d
}

// stop tells a server to end and waits until it has.
func (c *cell) stop(d *daemon) {
	c.Helper()
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		c.Fatalf("%v", err)
	}
	c.waitFor(d.Path+" to end", func() bool {
		select {
		case <-d.exited:
			return true
		default:
			return false
		}
	})
}

// restarts has servers end, and then the next one start, while clients call. Calls fail while there is no
// server, and say that it is unavailable.
func restarts(c *cell, l language) {
	path := socketPath(c)
	client := l.client(c)
	c.restartsUnder(client.of(c.Context(), path), l.restartCodes, func() *daemon { return c.startOurs(path) })
}

// foreignRestarts are restarts of a server in another language while this project's client calls.
func foreignRestarts(c *cell, l language) {
	path := socketPath(c)
	server := l.server(c)
	start := func() *daemon {
		d := c.startServer(path, server(context.Background(), path))
		// The first call of a process in Java can take longer than the server would live.
		if err := c.callThrough("unix://" + path); err != nil {
			c.Errorf("the first call: %v", err)
		}
		return d
	}
	c.restartsUnder(c.ourProgram(ours).of(c.Context(), path), l.restartCodesAsServer, start)
}

func (c *cell) restartsUnder(client func(args ...string) *exec.Cmd, allowed []string, start func() *daemon) {
	c.Helper()
	server := start()
	load := c.startLoad(client, callers)
	for range changes() {
		c.pause()
		c.stop(server)
		server = start()
	}
	// A client that waits with growing patience comes back, too.
	c.pause()
	got := c.endLoad(load)
	for code := range got.Codes {
		c.check(code == unavailable || slices.Contains(allowed, code), "a call has failed with code %s: %s", code, got.Text)
	}
	c.check(got.Calls > got.Failed, "no call has succeeded: %s", load.log)
	c.say(got.String())
	after := c.startLoad(client, 1)
	c.pause()
	again := c.endLoad(after)
	c.check(again.Failed == 0 && again.Calls > 0, "after the last restart: %v: %s", again, again.Text)
}

// drains tells this project's server to stop while a client has a stream open, which is to go on.
func drains(c *cell, l language) {
	path := socketPath(c)
	client := l.client(c)
	server := c.startOurs(path)
	held := c.startHold(client.of(c.Context(), path), 0)
	c.drained(server, held, l.cutByDrains)
}

// foreignDrains is the same with a server in another language and this project's client.
func foreignDrains(c *cell, l language) {
	path := socketPath(c)
	server := l.server(c)
	d := c.startServer(path, server(context.Background(), path))
	held := c.startHold(c.ourProgram(ours).of(c.Context(), path), 0)
	c.drained(d, held, l.cutsStreams)
}

// drained checks that a stream goes on after a server was told to stop, or is cut in a known way.
func (c *cell) drained(server *daemon, held *told, cut string) {
	c.Helper()
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		c.Fatalf("%v", err)
	}
	c.pause()
	outcome := c.endHold(held)
	if cut != "" {
		// Whether the news has come by then that the server is about to go is a matter of moments.
		c.check(outcome == "ok" || strings.Contains(outcome, cut), "the stream: %s", outcome)
		c.say("as soon as the client hears of it, it is cut: " + cut)
		return
	}
	c.check(outcome == "ok", "the stream: %s", outcome)
	<-server.exited
	c.check(server.ProcessState.Success(), "the server ends with %v: %s", server.ProcessState, server.log)
}
