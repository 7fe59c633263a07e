package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestMain(m *testing.M) {
	testproc.Main(m, map[string]testproc.Program{"udsgrpc": tool, "greet": greet, "call as odd": callAsOdd})
}

// tool is the program itself.
func tool(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, args, os.Stdin, os.Stdout, os.Stderr))
	return nil
}

// greet is a program: a greeter for everybody.
func greet(args []string) error {
	srv, err := runtime.NewServer(args[0], runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()), runtime.Reflection())
	if err != nil {
		return err
	}
	greeterv1.RegisterGreeterServer(srv, greeter{})
	fmt.Println("serves")
	return srv.Serve(context.Background())
}

// result is what a command has printed, and its status.
type result struct {
	stdout, stderr string
	status         int
}

// call runs the command in this process.
func call(t *testing.T, args ...string) result {
	t.Helper()
	return callWith(t, "", args...)
}

// callWith is call with something on standard input.
func callWith(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	status := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), status}
}

// want checks the status, and that each text is in what was printed.
func (r result) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("the status is %d, want %d", r.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("there is no %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("standard output:\n%s\nstandard error:\n%s", r.stdout, r.stderr)
	}
}

// socketDir returns a directory for sockets, whose path is short.
func socketDir(t *testing.T) string {
	t.Helper()
	return testproc.OpenDir(t)
}

func TestWrongUseIsToldWithUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", []string{"say what to do", "Usage:", "doctor", "wait", "health"}},
		{"frob x", []string{`unknown command "frob"`, "Usage:"}},
		{"docto x", []string{"unknown command \"docto\" for \"udsgrpc\": did you mean doctor\n"}},
		{"doctor", []string{"PATH is missing", "udsgrpc doctor PATH..."}},
		{"doctor --frob x", []string{"no flag --frob", "./--frob", "udsgrpc doctor PATH..."}},
		{"doctor -f x", []string{"no flag -f", "./-f"}},
		{"wait", []string{"PATH is missing"}},
		{"wait x --timeout", []string{"needs an argument"}},
		{"wait x --timeout never", []string{`invalid duration`}},
		{"wait x --timeout -1s", []string{"negative"}},
		{"health", []string{"at most one service"}},
		{"health x y z", []string{"at most one service"}},
		{"health x --timeout 0s", []string{"not positive"}},
		{"health localhost:1", []string{"./localhost:1", "udsgrpc health PATH"}},
		{"completion", []string{"bash, zsh, fish"}},
		{"completion csh", []string{"bash, zsh, fish"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			r := call(t, strings.Fields(c.args)...)
			r.want(t, statusUsage, append(c.want, "Usage:")...)
			if r.stdout != "" {
				t.Errorf("standard output has %q", r.stdout)
			}
		})
	}
}

func TestEveryVerbHasHelpWithAnExampleAndItsStatuses(t *testing.T) {
	t.Parallel()
	for _, verb := range newRoot().Commands() {
		name := verb.Name()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{name, "--help"}, {name, "-h"}, {name, "x", "--help"}, {"help", name}} {
				r := call(t, args...)
				r.want(t, 0, "Usage:\n  udsgrpc "+verb.Use, "Examples:\n  udsgrpc "+name, "Exit status")
				if r.stderr != "" {
					t.Errorf("standard error has %q", r.stderr)
				}
			}
			if name != "completion" && verb.Flags().Lookup(jsonFlag) == nil {
				t.Error("there is no --json")
			}
		})
	}
	call(t, "--help").want(t, 0, "Usage:", "doctor", "@name")
	call(t, "help").want(t, 0, "Usage:", "doctor", "@name")
	call(t, "--version").want(t, 0, "udsgrpc "+toolVersion()+"\n")
}

// The scripts ask the program itself what can come next.
func TestShellsCompleteVerbsAndFlags(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		call(t, "completion", shell).want(t, 0, "__complete", "udsgrpc")
	}
	call(t, "__complete", "he").want(t, 0, "health\t")
	call(t, "__complete", "wait", "--t").want(t, 0, "--timeout\t")
	call(t, "__complete", "completion", "f").want(t, 0, "fish")
}

// A script that bash refuses would break every login.
func TestBashTakesItsCompletion(t *testing.T) {
	t.Parallel()
	bash := testproc.Tool(t, "bash", "bash")
	script := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(script, []byte(call(t, "completion", "bash").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := testproc.Command(t, "udsgrpc")
	cmd.Path, cmd.Args = bash, []string{bash, "--noprofile", "--norc", "-c", `. "$0" && complete -p udsgrpc`, script}
	if said := testproc.Run(t, cmd); !strings.Contains(said, "complete -o default -F __start_udsgrpc udsgrpc") {
		t.Errorf("bash completes %q", said)
	}
}
