package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// The first call starts the server, which did not run when the client came.
func TestFirstCallStartsTheServer(t *testing.T) {
	t.Parallel()
	activate := testproc.Tool(t, "systemd-socket-activate", "systemd")
	server := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "s.sock")
	cmd := exec.CommandContext(ctx, activate, "--listen="+path, "--fdname=greeter.socket", server)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // of no effect on one that has ended

	client, conn, err := greeterv1.DialGreeterUDS(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WaitReady(ctx); err != nil { // for the manager to listen
		t.Fatal(err)
	}
	resp, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetServerPid() != int64(cmd.Process.Pid) {
		t.Errorf("process %d answers, want %d, which systemd-socket-activate has become", resp.GetServerPid(), cmd.Process.Pid)
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("server: %v", err)
	}
	if want := "serves on " + path + ", passed by systemd: true\n"; !strings.Contains(said.String(), want) {
		t.Errorf("the server does not say %q, but %q", want, &said)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket file is systemd's and should stay: %v", err)
	}
}

func TestUnitsAreWhatSystemdUnderstands(t *testing.T) {
	t.Parallel()
	analyze := testproc.Tool(t, "systemd-analyze", "systemd")
	// The program that the unit names has to be there, which is under a home.
	home := t.TempDir()
	bin := filepath.Join(home, ".local", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(build(t), filepath.Join(bin, "greeter")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), analyze, "--user", "--man=no", "verify", "greeter.socket", "greeter.service")
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home)
	output, err := cmd.CombinedOutput()
	for _, unit := range []string{"greeter.socket", "greeter.service"} {
		if err != nil || strings.Contains(string(output), unit) {
			t.Fatalf("systemd-analyze: %v: %s", err, output)
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	server := filepath.Join(t.TempDir(), "greeter")
	testproc.Build(t, server, ".")
	return server
}
