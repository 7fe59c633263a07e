package gateway_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestRemoteClientsCallThroughNginx(t *testing.T) {
	t.Parallel()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("UDSGRPC_CI") == "1" {
			t.Fatalf("UDSGRPC_CI is set, but there is no nginx: install Debian's package nginx-light: %v", err)
		}
		t.Skipf("there is no nginx: %v", err)
	}
	dir := directory(t)
	testproc.Build(t, dir, "./server", "./client", "./certificates")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run(ctx, t, filepath.Join(dir, "certificates"), filepath.Join(dir, "tls"))

	path := filepath.Join(dir, "greeter.sock")
	args := []string{path}
	if os.Geteuid() == 0 {
		args = []string{"-proxy", "www-data", path} // nginx does not serve as root
	}
	server := exec.CommandContext(ctx, filepath.Join(dir, "server"), args...)
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, server)
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		t.Fatalf("the server says %q: %v", line, err)
	}
	addr := startNginx(ctx, t, nginx, dir)

	said := run(ctx, t, filepath.Join(dir, "client"), addr, filepath.Join(dir, "tls"))
	for _, want := range []string{`Hello, Ada! You are "CN=ada", through uid `, "2097152 bytes of names\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("the client does not print %q, but\n%s", want, said)
		}
	}

	// A stranger has an authority, and a certificate, of his own.
	run(ctx, t, filepath.Join(dir, "certificates"), filepath.Join(dir, "forged"))
	ca, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "forged", "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(ctx, t, "400 (Bad Request)", filepath.Join(dir, "client"), addr, filepath.Join(dir, "forged"))

	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("server: %v", err)
	}
	refused(ctx, t, "code = Unavailable", filepath.Join(dir, "client"), addr, filepath.Join(dir, "tls"))
}

// startNginx starts nginx with the configuration of this folder, changed only in where things are.
func startNginx(ctx context.Context, t *testing.T, nginx, dir string) (addr string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(
		"/tmp/gateway-example", dir,
		"127.0.0.1:8443", addr,
	).Replace(string(config))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	// With -t nginx says what it does not like about the configuration.
	flags := []string{"-e", "stderr", "-p", dir, "-c", file}
	run(ctx, t, nginx, append(flags, "-t")...)
	cmd := exec.CommandContext(ctx, nginx, flags...)
	cmd.Stderr = os.Stderr
	start(t, cmd)
	awaitTCP(ctx, t, addr)
	return addr
}

// awaitTCP waits until somebody listens: nginx cannot tell when it does.
func awaitTCP(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nobody listens on %s: %v", addr, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// start starts a process that is to end with the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	// Killed, nginx would leave its workers behind.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState != nil {
			return
		}
		_ = cmd.Cancel()
		_ = cmd.Wait()
	})
}

func run(ctx context.Context, t *testing.T, program string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", filepath.Base(program), args, err, output)
	}
	return string(output)
}

func refused(ctx context.Context, t *testing.T, why, program string, args ...string) {
	t.Helper()
	output, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), why) {
		t.Errorf("%s %v: %v: %s, want a failure with %q", filepath.Base(program), args, err, output, why)
	}
}

// directory returns one that nginx's user may enter, unlike that of t.TempDir.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
