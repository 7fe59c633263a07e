package interop

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
)

// python returns a program of python/, run with the packages of requirements.txt.
func python(script string) func(c *cell) program {
	return func(c *cell) program {
		c.Helper()
		interpreter := filepath.Join(c.cache("python"), "bin", "python")
		return c.pythonProgram(interpreter, script, "the packages of python/requirements.txt are not installed: run install.sh")
	}
}

// debianPython is python with the packages of Debian, which another interpreter does not find.
func debianPython(script string) func(c *cell) program {
	return func(c *cell) program {
		c.Helper()
		return c.pythonProgram("/usr/bin/python3", script,
			"Python's grpc or protobuf is missing: install Debian's packages python3-grpcio and python3-protobuf, as install.sh does")
	}
}

func (c *cell) pythonProgram(interpreter, script, missing string) program {
	c.Helper()
	library := "grpcio"
	if strings.Contains(script, "grpclib") {
		library = "grpclib"
	}
	version, err := exec.CommandContext(soon(c), interpreter, "-c",
		"import google.protobuf, importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))", library).Output()
	if err != nil {
		c.missing("%s", missing)
	}
	c.version = strings.TrimSpace(string(version)) + ", p" + strings.TrimPrefix(c.firstLine(interpreter, "--version"), "P")
	descriptors := c.descriptors()
	return func(ctx context.Context, path string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, interpreter, append([]string{"python/" + script, path, descriptors}, args...)...)
	}
}
