package interop

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
)

// node returns a program of js/ that uses @grpc/grpc-js.
func node(script string) func(c *cell) program {
	return func(c *cell) program {
		c.Helper()
		interpreter := c.node("@grpc/grpc-js")
		descriptors := c.descriptors()
		return func(ctx context.Context, path string, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, interpreter, append([]string{"js/" + script, "unix:" + path, descriptors}, args...)...)
		}
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
