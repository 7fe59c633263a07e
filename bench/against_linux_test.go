package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/measure"
	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

// The other revision is this program here, known by another name, and so it lacks a kind of calls.
func TestAgainstMeasuresBothPrograms(t *testing.T) {
	o, err := parse([]string{"-against", "HEAD", "-only", "/unary|herd", "-rounds", "2", "-quick"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.plan.Peers) != 3 {
		t.Errorf("%d peers are compared, want raw and those of this project", len(o.plan.Peers))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := &measure.Program{Path: self, Revision: "old", Kinds: load.FirstKinds()}
	plan := o.plan
	plan.Peers = append(plan.Peers[1:2], measure.Peer{About: plan.Peers[1].About, Program: program})
	plan.Times = measure.Times{Warmup: time.Millisecond, Measure: time.Millisecond}
	plan.Dir = t.TempDir()
	plan.Progress = func(int, int, string) {}
	set, err := plan.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, r := range set.Against() {
		switch herd := strings.HasPrefix(r.Metric.ID, "herd"); {
		case herd && !strings.Contains(r.Lacks, `revision old does not know calls of the kind "herd"`):
			t.Errorf("%s: it lacks %q", r.Metric.ID, r.Lacks)
		case !herd && r.Gain.Rounds != 2:
			t.Errorf("%s: %d rounds are compared, want 2: %s", r.Metric.ID, r.Gain.Rounds, r.Lacks)
		case !herd:
			compared++
		}
	}
	if compared != 4 {
		t.Errorf("%d rows are compared, want those of unary", compared)
	}
}

func TestAgainstAlongsideOthers(t *testing.T) {
	o, err := parse([]string{"-against", "HEAD", "-only", "grpc-uds|udsgrpc/dial"})
	if err != nil || len(o.plan.Peers) != 2 || len(o.plan.Workloads) != 1 {
		t.Errorf("got %+v, %v", o.plan, err)
	}
	if o.whole {
		t.Error("it would replace the published results")
	}
}

// With -worst the status tells, also when nothing could be compared.
func TestWorstDecidesTheStatus(t *testing.T) {
	set := func(here, there float64) *result.Set {
		s := &result.Set{
			Peers:   []result.Peer{{Name: "udsgrpc", Module: "m"}, {Name: "udsgrpc@old", Module: "m", Counterpart: "udsgrpc"}},
			Metrics: []result.Metric{{ID: "speed", MoreIsBetter: true}},
		}
		s.Add("speed", "udsgrpc", here)
		s.Add("speed", "udsgrpc@old", there)
		return s
	}
	for _, c := range []struct {
		name        string
		here, there float64
		worst       float64
		failure     bool
	}{
		{"as good", 98, 100, 0.97, false},
		{"worse", 96, 100, 0.97, true},
		{"worse, by a lower bound", 96, 100, 0.95, false},
		{"worse, but nobody asked", 96, 100, 0, false},
		{"nothing to compare", 96, 0, 0.97, true},
	} {
		out := t.TempDir()
		err := compare(set(c.here, c.there), options{out: out, worst: c.worst})
		if (err != nil) != c.failure {
			t.Errorf("%s: got %v", c.name, err)
		}
		if _, err := os.Stat(filepath.Join(out, "results.json")); err != nil {
			t.Error(err)
		}
	}
}

// Ctrl-C reaches the whole program: it ends, says so, and leaves neither worktree nor files.
func TestInterruptedBuildLeavesNothing(t *testing.T) {
	needGit(t)
	repo, tmp, bin := t.TempDir(), t.TempDir(), t.TempDir()
	began := filepath.Join(bin, "began")
	for _, err := range []error{
		syscall.Mkfifo(began, 0o600),
		os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\nls >"+began+"\nexec sleep 1000\n"), 0o755),
		os.Mkdir(filepath.Join(repo, "bench"), 0o755),
		os.WriteFile(filepath.Join(repo, "bench", "main.go"), []byte("package main\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.com"}, args...)...)
		cmd.Dir = repo
		cmd.Env = append(cmd.Environ(), "GIT_DIR="+filepath.Join(repo, ".git"), "GIT_WORK_TREE="+repo, "GIT_INDEX_FILE="+filepath.Join(repo, ".git", "index"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "--quiet")
	git("add", "--all")
	git("commit", "--quiet", "-m", "a program")

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-against", "HEAD")
	cmd.Dir = filepath.Join(repo, "bench")
	cmd.Env = append(cmd.Environ(), asProgram+"=1", "TMPDIR="+tmp, "PATH="+bin+":"+os.Getenv("PATH"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(began) // returns when the build has begun
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if saw, err := bufio.NewReader(f).ReadString('\n'); saw != "main.go\n" {
		t.Errorf("the build sees %q, %v; want the files of the revision", saw, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(stderr.String(), "interrupt") {
		t.Errorf("it ended with %v and said %q", err, stderr.String())
	}
	if list := git("worktree", "list"); strings.Count(list, "\n") != 1 {
		t.Errorf("worktrees are left:\n%s", list)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err == nil {
		return
	} else if os.Getenv("UDSGRPC_CI") != "" {
		t.Fatal(err)
	}
	t.Skip("it needs git")
}
