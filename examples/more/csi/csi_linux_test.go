package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// The plugin is a process, and csi-sanity is a plain gRPC client of it, as the kubelet is.
func TestSanity(t *testing.T) {
	dir, err := os.MkdirTemp("", "csi") // shorter than that of t.TempDir: a plain client dials no long paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
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
	plugin := exec.Command(program)
	plugin.Env = append(os.Environ(), "CSI_ENDPOINT="+endpoint, "NODE_ID=node-1")
	plugin.Stderr = os.Stderr
	output, err := plugin.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plugin.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := plugin.Wait(); err != nil {
			t.Errorf("plugin: %v", err)
		}
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); !strings.Contains(line, "serves CSI") {
		t.Fatalf("the plugin says %q: %v", line, err)
	}
}
