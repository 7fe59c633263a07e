package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// foreignClients are clients in other languages; each program runs the interop cases and prints
// a line for each.
func foreignClients() []row {
	return []row{
		{name: "@grpc/grpc-js", run: func(c *cell) {
			node := c.node("@grpc/grpc-js")
			path := socketPath(c)
			seen := c.serve(path)
			c.reportsCases(exec.CommandContext(soon(c), node, "js/grpc-client.js", "unix:"+path, c.descriptors()))
			c.sends(seen)
		}},
		{name: "@connectrpc/connect-node", slow: true, run: func(c *cell) {
			node := c.node("@connectrpc/connect-node")
			c.lateReply = `"got 1, want 4"` // Canceled
			path := socketPath(c)
			seen := c.serve(path)
			c.reportsCases(exec.CommandContext(soon(c), node, "js/connect-client.js", path, c.descriptors()))
			c.sends(seen)
		}},
		{name: "python3-grpcio", slow: true, run: func(c *cell) {
			python := c.python()
			path := socketPath(c)
			seen := c.serve(path)
			c.reportsCases(exec.CommandContext(soon(c), python, "python/client.py", "unix:"+path, c.descriptors()))
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
	}
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

// node returns the interpreter, if js/ has its packages; the version of one goes into the table.
func (c *cell) node(pkg string) string {
	c.Helper()
	node := c.need("node", "nodejs")
	manifest, err := os.ReadFile("js/node_modules/" + pkg + "/package.json")
	if err != nil {
		c.missing("the packages in js/package.json are not installed: run npm ci there, as install.sh does")
	}
	var installed struct{ Version string }
	if err := json.Unmarshal(manifest, &installed); err != nil {
		c.Fatalf("%v", err)
	}
	c.version = installed.Version + ", node " + strings.TrimPrefix(c.firstLine(node, "--version"), "v")
	return node
}

// python returns Debian's interpreter: another one, if there is one, does not find Debian's
// modules.
func (c *cell) python() string {
	c.Helper()
	const python = "/usr/bin/python3"
	version, err := exec.CommandContext(soon(c), python, "-c", "import grpc, google.protobuf; print(grpc.__version__)").Output()
	if err != nil {
		c.missing("Python's grpc or protobuf is missing: install Debian's packages python3-grpcio and python3-protobuf, as install.sh does")
	}
	c.version = strings.TrimSpace(string(version))
	return python
}
