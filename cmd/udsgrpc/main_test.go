package main

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/generator"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestDoctorTellsEveryPathsConditionAndFailsIfOneIsBad(t *testing.T) {
	dir, err := os.MkdirTemp("", "doctor")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	longName := "@" + strings.Repeat("n", 108)
	srv, err := runtime.NewServer(good)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()

	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"doctor", good}, 0, []string{good + ": ready", "answers"}},
		{[]string{"doctor", good, good}, 0, []string{good + ": ready"}},
		{[]string{"doctor", good, bad}, 1, []string{good + ": ready", bad + ": missing", "no such file"}},
		{[]string{"doctor", bad, longName, bad}, 1, []string{bad + ": missing", longName + ": path too long"}},
		{[]string{"doctor", bad}, 14, []string{bad + ": missing"}},
		{[]string{"doctor", bad, bad}, 14, []string{bad + ": missing"}},
		{[]string{"doctor", dir}, 16, []string{dir + ": not a socket"}},
		{[]string{"doctor", "unix://x"}, 18, []string{"unix://x: invalid address"}},
		{[]string{"doctor", "localhost:50051"}, 18, []string{"localhost:50051: invalid address", "./localhost:50051"}},
		{[]string{"doctor", longName}, 17, []string{longName + ": path too long\n\tchoose a shorter name\n"}},
		{[]string{"doctor", "--help"}, 0, []string{"doctor PATH...", "\t 0  ready\n", "\t14  missing\n", "\t 1  paths are", "\t 2  "}},
		{[]string{"doctor", "-h"}, 0, []string{"doctor PATH..."}},
		{[]string{"doctor", good, "--help"}, 0, []string{"doctor PATH..."}},
		{[]string{"doctor", "--frob", good}, 2, []string{"no flag --frob", "./--frob"}},
		{[]string{"doctor"}, 2, []string{"Usage:"}},
		{nil, 2, []string{"Usage:"}},
		{[]string{"frob", "x"}, 2, []string{"Usage:"}},
		{[]string{"--version"}, 0, []string{"udsgrpc " + generator.Version + "\n"}}, // that of the plugin
		{[]string{"--help"}, 0, []string{"Usage:", "doctor PATH"}},
	} {
		var out strings.Builder
		if status := run(c.args, &out, &out); status != c.status {
			t.Errorf("udsgrpc %q exits with %d, want %d", c.args, status, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("udsgrpc %q says %q; want %q in it", c.args, out.String(), want)
			}
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestEveryConditionHasAStatusOfItsOwn(t *testing.T) {
	taken := map[int]socket.Condition{statusDiffer: "conditions that differ", statusUsage: "wrong use"}
	for _, c := range conditions(t) {
		status := statusOf(c)
		if other, ok := taken[status]; ok {
			t.Errorf("the status of %q is %d, that of %q", c, status, other)
		}
		taken[status] = c
	}
}

// conditions are those that package socket declares.
func conditions(t *testing.T) (all []socket.Condition) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../runtime/socket/diagnose.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Condition" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, socket.Condition(text))
		}
		return true
	})
	if len(all) < 11 {
		t.Fatalf("there are the conditions %q only", all)
	}
	return all
}
