package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// pathRows are about what a socket may be called: what each client can dial of the paths that
// this project's server can serve, and the forms that this project reads.
func pathRows() []row {
	url := []string{"`%41`", "`#`", "`?`", "over 107 bytes"} // to those who take a URL apart
	rows := []row{
		dials("this project's client", nil, caller(ours, "")),
		dials("grpc-go", url, caller(grpcGo, "unix://")),
		dials("connect-go", []string{"over 107 bytes"}, caller(connectGo, "")),
		dials("grpcurl", url, func(c *cell) func(path string) *exec.Cmd {
			program := c.goTool("tools/grpcurl.mod", "grpcurl", "github.com/fullstorydev/grpcurl")
			return func(path string) *exec.Cmd {
				return exec.Command(program, "-plaintext", "-connect-timeout=2", "-unix", path, "grpc.testing.TestService/EmptyCall")
			}
		}),
		dials("grpc-health-probe", url, func(c *cell) func(path string) *exec.Cmd {
			program := c.goTool("tools/grpc-health-probe.mod", "grpc-health-probe", "github.com/grpc-ecosystem/grpc-health-probe")
			return func(path string) *exec.Cmd { return exec.Command(program, "-addr=unix://"+path) }
		}),
		dials("buf curl", []string{"over 107 bytes"}, func(c *cell) func(path string) *exec.Cmd {
			program := c.goTool("../tools/buf.mod", "buf", "github.com/bufbuild/buf")
			return func(path string) *exec.Cmd {
				return exec.Command(program, "curl", "--protocol=grpc", "--http2-prior-knowledge", "--unix-socket="+path,
					"http://localhost/grpc.testing.TestService/EmptyCall")
			}
		}),
		{name: "forms of a path", run: formsOfPath},
		{name: "abstract name", run: abstractName},
	}
	for i := range rows {
		rows[i].slow = rows[i].name == "dialled by buf curl"
	}
	for _, l := range languages() {
		row := dials(l.name, l.cannotDial, func(c *cell) func(path string) *exec.Cmd {
			client := l.client(c)
			return func(path string) *exec.Cmd { return client(soon(c), path, "empty_unary") }
		})
		row.slow = true
		rows = append(rows, row)
	}
	return rows
}

// caller returns commands that make a call with a Go client.
func caller(kind clientKind, prefix string) func(c *cell) func(path string) *exec.Cmd {
	return func(c *cell) func(path string) *exec.Cmd {
		return func(path string) *exec.Cmd {
			return child(soon(c), c, "case", string(kind), prefix+path, "empty_unary")
		}
	}
}

// dials tells which paths a client can dial if one hands them over as they are. Those named in
// fails it cannot: a row that fails because it can after all is good news, for the table below
// it and for the recommendation.
func dials(client string, fails []string, prepare func(c *cell) func(path string) *exec.Cmd) row {
	return row{name: "dialled by " + client, run: func(c *cell) {
		command := prepare(c)
		short := dir(c)
		long := filepath.Join(short, strings.Repeat("x", 100))
		if err := os.Mkdir(long, 0o755); err != nil {
			c.Fatalf("%v", err)
		}
		for _, p := range paths(short, long) {
			c.serve(p.path)
			out, err := command(p.path).CombinedOutput()
			works := err == nil && !strings.Contains(string(out), "failed ")
			c.check(works != slices.Contains(fails, p.kind), "%s: can be dialled: %t: %s", p.kind, works, out)
		}
		if len(fails) > 0 {
			c.say("not " + strings.Join(fails, ", "))
		} else {
			c.say("all")
		}
	}}
}

type pathKind struct{ kind, path string }

// paths returns the paths to try in a directory, and one in another directory that is longer.
func paths(dir, long string) []pathKind {
	kinds := []pathKind{{"recommended", "AZaz09._-"}}
	for _, odd := range []string{",", "%41", "#", "?", " ", ":", "ü"} {
		kinds = append(kinds, pathKind{"`" + odd + "`", "a" + odd + "b"})
	}
	kinds = append(kinds, pathKind{"107 bytes", strings.Repeat("x", 107-len(dir)-len("/"))})
	for i := range kinds {
		kinds[i].path = filepath.Join(dir, kinds[i].path)
	}
	return append(kinds, pathKind{"over 107 bytes", filepath.Join(long, "s.sock")})
}

// formsOfPath has the server listen on one form and the client dial each of the others.
func formsOfPath(c *cell) {
	path := socketPath(c)
	c.serve("unix:" + path)
	for _, form := range []string{path, "unix:" + path, "unix://" + path} {
		out, err := child(soon(c), c, "case", string(ours), form, "empty_unary").CombinedOutput()
		c.check(err == nil, "%s: %v: %s", form, err, out)
	}
	for _, form := range []string{"unix://relative.sock", "unix-abstract://name", ""} {
		_, err := runtime.Dial(form)
		c.check(err != nil, "the client dials %q", form)
		server, err := runtime.NewServer(form)
		c.check(err != nil, "the server listens on %q", form)
		if err == nil {
			_ = server.Close()
		}
	}
	c.say("`unix://relative` and `unix-abstract://name` are errors")
}

// abstractName is one that has no file.
func abstractName(c *cell) {
	name := "interop" + filepath.Base(dir(c))
	c.serve("@" + name)
	for kind, targets := range map[clientKind][]string{
		ours:   {"@" + name, "unix-abstract:" + name},
		grpcGo: {"unix-abstract:" + name},
	} {
		for _, target := range targets {
			out, err := child(soon(c), c, "case", string(kind), target, "empty_unary").CombinedOutput()
			c.check(err == nil, "%s %s: %v: %s", kind, target, err, out)
		}
	}
	c.say("by this project's client and grpc-go")
}
