package main

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestDoctorTellsEveryPathsConditionAndFailsIfOneIsBad(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	longName := "@" + strings.Repeat("n", 108)
	serve(t, good)
	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{good}, 0, []string{good + ": ready", "answers"}},
		{[]string{good, good}, 0, []string{good + ": ready"}},
		{[]string{good, bad}, 1, []string{good + ": ready", bad + ": missing", "no such file"}},
		{[]string{bad, longName, bad}, 1, []string{bad + ": missing", longName + ": path too long"}},
		{[]string{bad}, 14, []string{bad + ": missing"}},
		{[]string{bad, bad}, 14, []string{bad + ": missing"}},
		{[]string{dir}, 16, []string{dir + ": not a socket"}},
		{[]string{"unix://x"}, 18, []string{"unix://x: invalid address"}},
		{[]string{"localhost:50051"}, 18, []string{"localhost:50051: invalid address", "./localhost:50051"}},
		{[]string{longName}, 17, []string{longName + ": path too long\n\tchoose a shorter name\n"}},
		{[]string{"--help"}, 0, []string{"doctor PATH...", "\t 0  ready\n", "\t14  missing\n", "\t 1  paths are", "\t 2  "}},
		{[]string{"--", "--frob"}, 14, []string{"/--frob: missing"}},
	} {
		call(t, append([]string{"doctor"}, c.args...)...).want(t, c.status, c.want...)
	}
}

func TestDoctorTellsVerdictsInJSON(t *testing.T) {
	t.Parallel()
	dir := socketDir(t)
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "ba\nd")
	serve(t, good)
	for _, args := range [][]string{{"--json", good, bad}, {good, bad, "--json"}} {
		r := call(t, append([]string{"doctor"}, args...)...)
		r.want(t, statusDiffer)
		if r.stderr != "" {
			t.Errorf("standard error has %q", r.stderr)
		}
		var got []diagnosisObject
		for line := range strings.Lines(r.stdout) {
			var d diagnosisObject
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, d)
		}
		if len(got) != 2 || got[0].Path != good || got[0].Condition != "ready" || got[0].Status != 0 || got[0].Error != "" ||
			got[1].Path != bad || got[1].Condition != "missing" || got[1].Status != 14 || got[1].Error == "" || got[1].Detail == "" {
			t.Errorf("the verdicts are %+v", got)
		}
	}
}

func TestDoctorEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "mute")
	ctx, interrupt := context.WithCancel(t.Context())
	serveRaw(t, path, func(conn net.Conn) {
		interrupt()
		hang(conn)
	})
	var stdout, stderr strings.Builder
	if status := run(ctx, []string{"doctor", "--json", path, path}, nil, &stdout, &stderr); status != statusDiffer {
		t.Errorf("the status is %d", status)
	}
	if lines := stdout.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `"condition":"unresponsive"`) || !strings.Contains(lines, "context canceled") {
		t.Errorf("it says %s%s", lines, stderr.String())
	}
}

func TestEveryConditionHasAStatusOfItsOwn(t *testing.T) {
	t.Parallel()
	taken := map[int]socket.Condition{statusDiffer: "conditions that differ", statusUsage: "wrong use", statusNotServing: "not serving"}
	for _, c := range conditions(t) {
		status := conditionStatus(c)
		if other, ok := taken[status]; ok {
			t.Errorf("the status of %q is %d, that of %q", c, status, other)
		}
		if taken[status] = c; status > statusCode {
			t.Errorf("the status of %q is %d, which a code can have", c, status)
		}
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
