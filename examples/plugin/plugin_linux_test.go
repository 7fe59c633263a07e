package plugin_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestHostStartsCallsAndStopsThePlugin(t *testing.T) {
	t.Parallel()
	dir := build(t)
	output, err := exec.Command(filepath.Join(dir, "host"), filepath.Join(dir, "plugin")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	want := "host: the plugin says \"Hello, Ada!\"\nplugin: drained, good bye\n"
	if got := string(output); got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
}

func TestPluginByItselfWantsAPath(t *testing.T) {
	t.Parallel()
	output, err := exec.Command(filepath.Join(build(t), "plugin")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(output), "runtime.StartChild") {
		t.Errorf("error is %v, output %q", err, output)
	}
}

func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testproc.Build(t, dir, "./host", "./plugin")
	return dir
}
