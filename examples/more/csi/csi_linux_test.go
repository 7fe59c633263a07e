package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// The plugin is a process, and csi-sanity is a plain gRPC client of it, as the kubelet is.
func TestSanity(t *testing.T) {
	dir := testproc.OpenDir(t) // a plain client dials no long paths
	program := filepath.Join(dir, "csi")
	testproc.Build(t, program, ".")
	endpoint := "unix://" + filepath.Join(dir, "csi.sock")
	start(t, program, endpoint)

	config := sanity.NewTestConfig()
	config.Address = endpoint
	config.TargetPath, config.StagingPath = filepath.Join(dir, "mount"), filepath.Join(dir, "staging")
	sanity.Test(t, config)
}

// start starts the plugin and returns when it listens. At the end of the test it has to end well.
func start(t *testing.T, program, endpoint string) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "CSI_ENDPOINT="+endpoint, "NODE_ID=node-1")
	plugin := testproc.StartCmd(t, cmd)
	t.Cleanup(plugin.Stop)
	if line := plugin.Line(); !strings.Contains(line, "serves CSI") {
		t.Fatalf("the plugin says %q", line)
	}
}
