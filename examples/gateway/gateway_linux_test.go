package gateway_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestRemoteClientsCallThroughNginx(t *testing.T) {
	t.Parallel()
	nginx := testproc.Tool(t, "nginx", "nginx-light")
	dir := testproc.OpenDir(t)
	testproc.Build(t, dir, "./server", "./client", "./certificates")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	testproc.Run(t, exec.CommandContext(ctx, filepath.Join(dir, "certificates"), filepath.Join(dir, "tls")))

	path := filepath.Join(dir, "greeter.sock")
	args := []string{path}
	if os.Geteuid() == 0 {
		args = []string{"-proxy", "www-data", path} // nginx does not serve as root
	}
	server := testproc.StartCmd(t, exec.CommandContext(ctx, filepath.Join(dir, "server"), args...))
	server.Line() // that it listens
	addr := startNginx(ctx, t, nginx, dir)

	said := testproc.Run(t, exec.CommandContext(ctx, filepath.Join(dir, "client"), addr, filepath.Join(dir, "tls")))
	for _, want := range []string{`Hello, Ada! You are "CN=ada", through uid `, "2097152 bytes of names\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("the client does not print %q, but\n%s", want, said)
		}
	}

	// A stranger has an authority, and a certificate, of his own.
	testproc.Run(t, exec.CommandContext(ctx, filepath.Join(dir, "certificates"), filepath.Join(dir, "forged")))
	ca, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "forged", "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(ctx, t, "400 (Bad Request)", filepath.Join(dir, "client"), addr, filepath.Join(dir, "forged"))

	server.Stop()
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
	testproc.Run(t, exec.CommandContext(ctx, nginx, append(flags, "-t")...))
	// Killed, nginx would leave its workers behind.
	t.Cleanup(testproc.StartCmd(t, exec.Command(nginx, flags...)).Stop)
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

func refused(ctx context.Context, t *testing.T, why, program string, args ...string) {
	t.Helper()
	output, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), why) {
		t.Errorf("%s %v: %v: %s, want a failure with %q", filepath.Base(program), args, err, output, why)
	}
}
