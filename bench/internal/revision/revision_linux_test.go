package revision_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/revision"
)

// repository is a small one, whose program in prog says what its commit says.
type repository struct {
	*testing.T
	dir string
}

// newRepository also sets the directory for temporary files, to see what is left there.
func newRepository(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("UDSGRPC_CI") != "" {
			t.Fatal(err)
		}
		t.Skip("it needs git")
	}
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	r := &repository{t, t.TempDir()}
	r.git("init", "--quiet")
	return r
}

func (r *repository) git(args ...string) string {
	r.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=A", "-c", "user.email=a@example.com"}, args...)...)
	cmd.Env = append(cmd.Environ(), "GIT_DIR="+filepath.Join(r.dir, ".git"), "GIT_WORK_TREE="+r.dir, "GIT_INDEX_FILE="+filepath.Join(r.dir, ".git", "index"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// commit writes the program and commits it.
func (r *repository) commit(program string) {
	r.Helper()
	r.write("prog/main.go", program)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "-m", "a subject")
}

func (r *repository) write(name, text string) {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// prints is a program that prints a word.
func prints(word string) string { return "package main\nfunc main() { print(\"" + word + "\") }\n" }

// checkClean checks that neither a worktree nor a temporary file is left.
func (r *repository) checkClean() {
	r.Helper()
	if list := r.git("worktree", "list", "--porcelain"); strings.Count(list, "worktree ") != 1 {
		r.Errorf("worktrees are left:\n%s", list)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "udsgrpc-*"))
	if err != nil || len(left) > 0 {
		r.Errorf("%q are left, %v", left, err)
	}
}

func TestBuildsAsOfTheRevision(t *testing.T) {
	r := newRepository(t)
	r.write("prog/go.mod", "module example.com/prog\n\ngo 1.24\n")
	r.commit(prints("old"))
	r.commit(prints("new"))
	r.write("prog/main.go", prints("not committed"))
	// Neither is what git sets for its hooks followed, nor a workspace.
	t.Setenv("GIT_DIR", "/nowhere")
	r.write("go.work", "go 1.24\n\nuse ./prog\n")
	for rev, want := range map[string]string{"HEAD~1": "old", "HEAD": "new"} {
		p, err := revision.Build(t.Context(), filepath.Join(r.dir, "prog"), rev)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := exec.Command(p.Path).CombinedOutput(); string(got) != want || err != nil {
			t.Errorf("%s: the program says %q, %v; want %q", rev, got, err, want)
		}
		if commit := r.git("rev-parse", rev); !strings.HasPrefix(commit, p.Revision) || len(p.Revision) < 4 || p.Subject != "a subject" || p.Go == "" {
			t.Errorf("%s: got %+v, want what says commit %s", rev, p, commit)
		}
		if list := r.git("worktree", "list", "--porcelain"); strings.Count(list, "worktree ") != 1 {
			t.Errorf("the worktree outlives the build:\n%s", list)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		r.checkClean()
	}
	if got, err := os.ReadFile(filepath.Join(r.dir, "prog/main.go")); err != nil || string(got) != prints("not committed") {
		t.Errorf("the work tree has %q, %v", got, err)
	}
}

func TestWhatCannotBeBuiltIsSaidAndLeavesNothing(t *testing.T) {
	r := newRepository(t)
	r.write("README", "no program yet")
	r.git("add", "--all")
	r.git("commit", "--quiet", "-m", "none")
	r.write("prog/go.mod", "module example.com/prog\n\ngo 1.24\n")
	r.commit("package main\n\nfunc main() { mistake() }\n")
	for rev, want := range map[string]string{
		"HEAD":    "undefined: mistake",
		"HEAD~1":  "does not have this directory",
		"HEAD~7":  "no such commit",
		"--quiet": "no such commit",
		"":        "no such commit",
	} {
		_, err := revision.Build(t.Context(), filepath.Join(r.dir, "prog"), rev)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", rev, err, want)
		}
		r.checkClean()
	}
	if _, err := revision.Build(t.Context(), t.TempDir(), "HEAD"); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("without a repository: got %v", err)
	}
}

// An interrupt during the build, and one during the checkout.
func TestInterruptLeavesNothing(t *testing.T) {
	for _, program := range []string{"go", "git"} {
		t.Run(program, func(t *testing.T) {
			r := newRepository(t)
			r.write("prog/go.mod", "module example.com/prog\n\ngo 1.24\n")
			r.commit(prints("word"))
			began := stall(t, program)
			ctx, interrupt := context.WithCancelCause(t.Context())
			go func() {
				f, err := os.Open(began) // returns when the other end is open, too
				if err == nil {
					f.Close()
				}
				interrupt(errors.New("enough"))
			}()
			_, err := revision.Build(ctx, filepath.Join(r.dir, "prog"), "HEAD")
			if err == nil || !strings.Contains(err.Error(), "enough") {
				t.Errorf("got %v", err)
			}
			r.checkClean()
		})
	}
}

// stall puts a program before the real one that does not end by itself: go at once, and git when it
// has added a worktree. Before that it opens the FIFO that stall returns.
func stall(t *testing.T, program string) (began string) {
	t.Helper()
	real, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	began = filepath.Join(bin, "began")
	if err := syscall.Mkfifo(began, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n" + map[string]string{
		"go":  `echo >` + began + `; exec sleep 1000`,
		"git": `case "$*" in *"worktree add"*) ` + real + ` "$@" || exit; echo >` + began + `; exec sleep 1000;; esac; exec ` + real + ` "$@"`,
	}[program] + "\n"
	if err := os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return began
}
