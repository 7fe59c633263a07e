package interop

import (
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// foreignClients are clients in other languages; each program runs the interop cases and prints
// a line for each.
func foreignClients() []row {
	var rows []row
	for _, l := range languages() {
		rows = append(rows, row{name: l.name, slow: l.slow, run: func(c *cell) {
			client := l.client(c)
			c.lateReplies = []string{"got code 1, want 4"} // Canceled: all of them say so then
			if l.lateReply != "" {
				c.lateReplies = append(c.lateReplies, l.lateReply)
			}
			for _, opts := range [][]runtime.ServerOption{nil, {runtime.HTTP2Only()}} {
				path := socketPath(c)
				seen := c.serve(path, opts...)
				c.reportsCases(client(soon(c), path))
				if opts == nil {
					c.sends(seen)
				}
			}
		}})
	}
	return append(rows, []row{
		{name: "@connectrpc/connect-node", slow: true, run: func(c *cell) {
			node := c.node("@connectrpc/connect-node")
			c.lateReplies = []string{`"got 1, want 4"`} // Canceled
			path := socketPath(c)
			seen := c.serve(path)
			c.reportsCases(exec.CommandContext(soon(c), node, "js/connect-client.js", path, c.descriptors()))
			c.sends(seen)
		}},
		{name: "libgrpc++", slow: true, run: func(c *cell) {
			client := c.compileCPP()
			path := socketPath(c)
			seen := c.serve(path)
			c.reportsCases(exec.CommandContext(soon(c), client, "unix:"+path))
			c.sends(seen)

			comma := filepath.Join(dir(c), "a,b")
			c.serve(comma)
			out := c.output(exec.CommandContext(soon(c), client, "unix:"+comma, "empty_unary"))
			c.check(strings.HasPrefix(out, "failed "), "it can dial a path with a comma: %s", out)
			c.say("cannot dial a path with a comma")
		}},
		dotnetClient,
	}...)
}

// reportsCases runs a program that prints "ok CASE" or "failed CASE: why" for every case. A
// case that it does not mention has failed.
func (c *cell) reportsCases(cmd *exec.Cmd) {
	c.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Errorf("%s: %v", cmd.Args[0], err)
	}
	lines := strings.Split(string(out), "\n")
	for _, name := range caseNames() {
		ok, why := false, name+" was not run: "+string(out)
		for _, line := range lines {
			if line == "ok "+name {
				ok = true
			}
			if reason, failed := strings.CutPrefix(line, "failed "+name); failed {
				why, ok = name+reason, c.late(name, line)
			}
		}
		c.check(ok, "%s", why)
	}
}
