package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// rust returns a program of rust/.
func rust(name string) func(c *cell) program {
	return func(c *cell) program {
		c.Helper()
		cargo := c.need("cargo", "rustup, for Debian's cargo is too old,")
		if err := buildRust(c, cargo); err != nil {
			c.missing("the programs of rust/ do not build: %v", err)
		}
		lock, err := os.ReadFile("rust/Cargo.lock")
		if err != nil {
			c.Fatalf("%v", err)
		}
		_, after, _ := strings.Cut(string(lock), "name = \"tonic\"\nversion = \"")
		version, _, _ := strings.Cut(after, `"`)
		c.version = version + ", " + strings.Join(strings.Fields(c.firstLine("rustc", "--version"))[:2], " ")
		binary := filepath.Join(c.cache("rust"), "release", name)
		return func(ctx context.Context, path string, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, binary, append([]string{path}, args...)...)
		}
	}
}

// rustBuild is what came of compiling, which is done once and for all rows. In the cache only this project's
// own code is compiled anew.
var rustBuild struct {
	sync.Once
	err error
}

func buildRust(c *cell, cargo string) error {
	c.Helper()
	rustBuild.Do(func() {
		// Its name in the cache is always the same: cargo compiles anew what has read another file.
		descriptors := filepath.Join(c.cache("rust"), "testservice.binpb")
		rustBuild.err = copyIfNew(c.descriptors(), descriptors)
		if rustBuild.err != nil {
			return
		}
		build := exec.Command(cargo, "build", "--quiet", "--locked", "--release", "--manifest-path=rust/Cargo.toml", "--target-dir="+c.cache("rust"))
		build.Env = append(os.Environ(), "DESCRIPTORS="+descriptors)
		if out, err := build.CombinedOutput(); err != nil {
			rustBuild.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	return rustBuild.err
}

func copyIfNew(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
