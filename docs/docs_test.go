// Package docs_test runs the code in README.md, in the documents below docs, and in the README.md of
// each example, of release and of thirdparty, so that what a reader copies works.
//
// Every block of code is fenced, and its info string says, after the language and unseen by the
// reader, how it is checked:
//
//	sh                run, see below
//	text output       what the sh block before it writes, to standard output and error
//	LANG file=PATH    written to PATH, for the sh blocks after it
//	LANG from=PATH    an excerpt of a file of the repository: its lines stand there next to each
//	                  other, with the same additional indentation; a line "...", "// ..." or
//	                  "# ..." stands for any lines
//	LANG signatures=PATH   beginnings of functions that a Go file of the repository declares
//	LANG test=PATH    read by another test, which names the document
//
// In output a line "..." stands for any lines, and "…" for any text in a line. What a process in the
// background says may take a moment.
//
// The sh blocks of a document are given one after the other to one bash in a sandbox of its own, so
// the working directory, variables and processes in the background stay. A block fails when one
// of its commands does, as with bash -euo pipefail. A process in the background fails if it has ended
// by itself, before the document ends, with another status than 0. A word after sh changes this:
//
//	exit=STATUS       the block is one command, which ends with that status
//	needs=NAME,NAME   skipped without these programs; with UDSGRPC_CI=1 that is a failure. The name
//	                  root is for blocks that need other users, which root alone can become
//	norun="REASON"    only its syntax is checked; the text around it tells the reader why
//	at=DIR            run in that directory of the repository, "." for its root
//
// A block that only calls make is run at the root with --dry-run, as targets take long, but for make
// demo, which is run.
//
// In the sandbox /tmp, /run and the home directory are empty to begin with. What is written there, and
// to /etc, /usr/local and /var, is gone in the end; nothing else can be written but the caches of Go.
// The blocks start in an empty directory below the home. What "@latest" of this module fetches there
// is the working tree. The network is that of the machine, for what has to be fetched. So documents
// share TCP ports and abstract names, each of which only one can use, and all see each other's in ss.
//
// A document with the comment
//
//	<!-- continues README.md#anchor -->
//
// starts with what is run in that section of another one, and with
//
//	<!-- systemd -->
//
// systemd is the manager of its sandbox, for which the test has to be run by root.
package docs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDocument(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := documents(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			// What has to be built for the first time takes minutes.
			c := &checker{root: root, log: t.Logf, limit: 4 * time.Minute}
			skipped, err := c.check(patient(t), path, source)
			if errors.Is(err, errNoSandbox) && os.Getenv("UDSGRPC_CI") != "1" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(skipped) > 0 {
				t.Skip(skipped)
			}
		})
	}
}

// patient returns a context that ends shortly before the tests do, so that a block that hangs is
// named.
func patient(t *testing.T) context.Context {
	deadline, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	ctx, cancel := context.WithDeadline(t.Context(), deadline.Add(-10*time.Second))
	t.Cleanup(cancel)
	return ctx
}
