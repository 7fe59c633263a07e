package services_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	server := start(ctx, t, filepath.Join(dir, "server"), path)

	asRoot := os.Geteuid() == 0
	shutdown := "PermissionDenied"
	if asRoot {
		shutdown = "OK"
	}

	output, err := exec.CommandContext(ctx, filepath.Join(dir, "client"), path).CombinedOutput()
	if err != nil {
		t.Fatalf("client: %v: %s", err, output)
	}
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
		if !strings.Contains(string(output), want) {
			t.Errorf("the client does not print %q, but\n%s", want, output)
		}
	}

	if !asRoot { // the client has not shut it down
		if err := server.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Wait(); err != nil {
		t.Errorf("server: %v", err)
	}
}

// start starts a server and returns when it says that it listens.
func start(ctx context.Context, t *testing.T, program, path string) *exec.Cmd {
	t.Helper()
	server := exec.CommandContext(ctx, program, path)
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() }) // of no effect on one that has ended
	if line, err := bufio.NewReader(output).ReadString('\n'); !strings.HasSuffix(line, path+"\n") {
		t.Fatalf("the server says %q: %v", line, err)
	}
	return server
}
