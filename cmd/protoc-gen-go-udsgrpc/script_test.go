package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary serve as the plugin on PATH.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){name: main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs buf")
	}
	bufDir := filepath.Dir(buf(t))
	options := optionsDir(t)
	withProtoc := hasProtoc(t)
	if !withProtoc {
		t.Log("protoc, or what it includes, is not installed: the parts of the scripts that need it are skipped")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			if err := copyOptions(options, filepath.Join(env.WorkDir, "options")); err != nil {
				return err
			}
			env.Setenv("PATH", bufDir+string(os.PathListSeparator)+env.Getenv("PATH"))
			for key, value := range sandbox(env.WorkDir) {
				env.Setenv(key, value)
			}
			return nil
		},
		Condition: func(condition string) (bool, error) {
			if condition != "protoc" {
				return false, fmt.Errorf("unknown condition %q", condition)
			}
			return withProtoc, nil
		},
	})
}

// sandbox returns environment variables that keep buf within dir: it finds neither a user's
// configuration nor, through a proxy that nobody serves, a network. They also spare the plugin,
// if the race detector is in it, the second for which that waits at the end of every process.
func sandbox(dir string) map[string]string {
	const nobody = "http://127.0.0.1:9"
	return map[string]string{
		"HOME":          filepath.Join(dir, ".home"),
		"BUF_CACHE_DIR": filepath.Join(dir, ".cache"),
		"HTTP_PROXY":    nobody,
		"HTTPS_PROXY":   nobody,
		"GORACE":        "atexit_sleep_ms=0",
	}
}
