// Command demo shows the way from a .proto file to two processes that talk over a Unix
// domain socket. It is what 'make demo' runs, at the root of a checkout.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	proto     = "examples/greeter/proto"
	generated = "examples/greeter/gen/greeter/v1/greeter_udsgrpc.pb.go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{out: os.Stdout}
	err := d.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

type demo struct {
	out  io.Writer
	step int
	dir  string // holds everything the demo makes, and goes at its end
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "greeter"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()

	d.title("Build the plugin, the server and the client")
	for name, pkg := range map[string]string{
		"protoc-gen-go-udsgrpc": "./cmd/protoc-gen-go-udsgrpc",
		"server":                "./examples/greeter/server",
		"client":                "./examples/greeter/client",
	} {
		if err := d.command(ctx, "go", "build", "-o", filepath.Join(d.dir, name), pkg); err != nil {
			return err
		}
	}
	d.say("protoc-gen-go-udsgrpc, server, client")

	d.title("Run buf generate on the service")
	if err := d.showService(); err != nil {
		return err
	}
	d.say("(the first run builds buf itself, which takes a minute or two)")
	if err := d.command(ctx, "go", "tool", "-modfile=tools/buf.mod", "buf", "generate"); err != nil {
		return err
	}
	d.say("%s:", generated)
	if err := d.showLines(generated, func(l string) bool { return strings.HasPrefix(l, "func ") }); err != nil {
		return err
	}
	return d.talk(ctx)
}

// talk runs the server in one process and the client in another.
func (d *demo) talk(ctx context.Context) error {
	path := filepath.Join(d.dir, "greeter.sock")

	d.title("Start the server in one process")
	server := exec.CommandContext(ctx, filepath.Join(d.dir, "server"), path)
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	server.WaitDelay = 5 * time.Second
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	// Whatever goes wrong below, no server stays behind.
	defer server.Process.Kill()
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		return errors.Join(errors.New("the server ended before it served"), server.Wait())
	}
	d.say("server | %s", lines.Text())
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	d.say("       | %v %s", info.Mode(), path)

	d.title("Call it from another process")
	said, err := exec.CommandContext(ctx, filepath.Join(d.dir, "client"), path).Output()
	if err != nil {
		return fmt.Errorf("client: %w: %s", err, stderrOf(err))
	}
	for line := range strings.Lines(string(said)) {
		d.say("client | %s", strings.TrimSuffix(line, "\n"))
	}

	d.title("Stop the server with SIGTERM")
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	for lines.Scan() {
		d.say("server | %s", lines.Text())
	}
	if err := server.Wait(); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the socket file %s should be gone: %w", path, err)
	}
	d.say("checked: exit status 0, no socket file; what the demo made is removed")
	return nil
}

func (d *demo) title(text string) {
	d.step++
	fmt.Fprintf(d.out, "\n%d. %s\n", d.step, text)
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "   "+format+"\n", args...)
}

// command runs a program quietly; its output is shown when it fails.
func (d *demo) command(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, output)
	}
	return nil
}

// showService prints the service as it is declared, without its comments.
func (d *demo) showService() error {
	inService := false
	return d.showLines(proto+"/greeter/v1/greeter.proto", func(l string) bool {
		inService = inService && l != "" || strings.HasPrefix(l, "service ")
		return inService && !strings.HasPrefix(strings.TrimSpace(l), "//")
	})
}

func (d *demo) showLines(file string, wanted func(string) bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("run the demo at the root of a checkout: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); wanted(line) {
			d.say("  %s", line)
		}
	}
	return nil
}

func stderrOf(err error) []byte {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return bytes.TrimSpace(exit.Stderr)
	}
	return nil
}
