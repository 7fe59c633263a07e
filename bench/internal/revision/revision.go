// Package revision builds the program of another revision of a repository.
package revision

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Program is a program that was built from another revision.
type Program struct {
	Path     string // of the executable
	Revision string // the short name of the commit
	Subject  string // of the commit
	Go       string // version of Go that has built it

	dir string // what Close removes
}

// Build builds the main package in dir as it is in a revision: a commit, or whatever git takes
// for one. Nothing in the repository's own work tree is touched: the revision is checked out into a temporary
// worktree, which is removed before Build returns, also if ctx ends.
func Build(ctx context.Context, dir, revision string) (_ *Program, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("build revision %q: %w", revision, err)
		}
	}()
	commit, err := output(ctx, dir, "git", "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("find it in the repository of %s: no such commit: %w", dir, err)
	}
	within, err := output(ctx, dir, "git", "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	about, err := output(ctx, dir, "git", "log", "-1", "--format=%h %s", commit)
	if err != nil {
		return nil, err
	}
	built := &Program{}
	built.Revision, built.Subject, _ = strings.Cut(about, " ")
	if built.dir, err = os.MkdirTemp("", "udsgrpc-revision-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, built.Close())
		}
	}()
	built.Path = filepath.Join(built.dir, "program")
	err = inWorktree(ctx, dir, filepath.Join(built.dir, "tree"), commit, func(tree string) error {
		return compile(ctx, filepath.Join(tree, within), built.Path)
	})
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(built.Path)
	if err != nil {
		return nil, err
	}
	built.Go = info.GoVersion
	return built, nil
}

// Close removes the program.
func (p *Program) Close() error { return os.RemoveAll(p.dir) }

func compile(ctx context.Context, dir, to string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return errors.New("it does not have this directory")
	}
	_, err := output(ctx, dir, "go", "build", "-o", to, ".")
	return err
}

// inWorktree checks a commit out at tree while it calls f.
func inWorktree(ctx context.Context, repository, tree, commit string, f func(tree string) error) (err error) {
	defer func() { err = errors.Join(err, removeWorktree(context.WithoutCancel(ctx), repository, tree)) }()
	// The hooks are those of the one who works here, and not meant for this.
	if _, err := output(ctx, repository, "git", "-c", "core.hooksPath="+os.DevNull, "worktree", "add", "--quiet", "--detach", tree, commit); err != nil {
		return err
	}
	return f(tree)
}

// removeWorktree removes a worktree, also one that git was interrupted to make, which it holds locked.
func removeWorktree(ctx context.Context, repository, tree string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := output(ctx, repository, "git", "worktree", "remove", "--force", "--force", tree); err == nil {
		return nil
	}
	// Git does not know it, or not its files any more.
	err := os.RemoveAll(tree)
	_, prune := output(ctx, repository, "git", "worktree", "prune")
	return errors.Join(err, prune)
}

// output runs a program in a directory, and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it can clean up
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w%s", strings.Join(cmd.Args, " "), err, indented(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// environ returns the environment without what would lead git or go elsewhere: git sets its variables for
// hooks, and a workspace of Go takes packages from the work tree.
func environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "PWD"}, name)
	})
	return append(env, "GOWORK=off")
}

// indented returns what a program has said on lines of its own.
func indented(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return "\n\t" + strings.ReplaceAll(text, "\n", "\n\t")
}
