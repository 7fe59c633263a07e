package services_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestOneSocketServesThemAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testproc.Build(t, dir, "./server", "./client")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(dir, "s.sock")
	server := testproc.StartCmd(t, exec.CommandContext(ctx, filepath.Join(dir, "server"), path))
	if line := server.Line(); !strings.HasSuffix(line, path) {
		t.Fatalf("the server says %q, want that it serves on %s", line, path)
	}

	asRoot := os.Geteuid() == 0
	shutdown := "PermissionDenied"
	if asRoot {
		shutdown = "OK"
	}

	output := testproc.Run(t, exec.CommandContext(ctx, filepath.Join(dir, "client"), path))
	for _, want := range []string{
		"offered  admin.v1.Admin\n",
		"offered  greeter.v1.Greeter\n",
		"offered  grpc.health.v1.Health\n",
		"offered  grpc.reflection.v1.ServerReflection\n",
		"health   greeter.v1.Greeter SERVING\n",
		"greet    Hello, Ada!\n",
		"status   OK",
		"reload   OK",
		"shutdown " + shutdown,
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the client does not print %q, but\n%s", want, output)
		}
	}

	if asRoot { // the client has shut it down
		if err := server.WaitExit(); err != nil {
			t.Errorf("server: %v", err)
		}
	} else {
		server.Stop()
	}
}
