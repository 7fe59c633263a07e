package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// A release has manual pages, which are made of what --help prints. They are made by a test, so that the tool does
// not contain what makes them: go test . -run TestManual -man DIR
var manDir = flag.String("man", "", "where to leave the manual pages, with the date in $SOURCE_DATE_EPOCH")

func TestManualHasAPageForEveryVerb(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRoot()
	writeManual(t, root, dir)
	for _, verb := range append(root.Commands(), root) {
		if !verb.IsAvailableCommand() && verb != root || verb.Name() == "help" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(verb.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		page := strings.ReplaceAll(string(text), `\-`, "-")
		for _, want := range []string{verb.Short, ".SH SYNOPSIS", ".SH DESCRIPTION", "--help"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s has no %q:\n%s", verb.CommandPath(), want, page)
			}
		}
		if verb.Example != "" && !strings.Contains(page, "\n.EX\n"+strings.SplitAfter(strings.ReplaceAll(verb.Example, `\`, `\\`), "\n")[0]) {
			t.Errorf("the page of %s has no example:\n%s", verb.CommandPath(), page)
		}
	}
}

func TestManualIsWellFormed(t *testing.T) {
	mandoc := testproc.Tool(t, "mandoc", "mandoc")
	dir := t.TempDir()
	writeManual(t, newRoot(), dir)
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages %q, %v", pages, err)
	}
	if out := testproc.Run(t, exec.CommandContext(t.Context(), mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...)); out != "" {
		t.Error(out)
	}
}

var (
	manDate    = regexp.MustCompile(`(?m)^(\.TH "[^"]*" "1") "[^"]*"`)
	manDefault = regexp.MustCompile(`\[=false\]|=\[\]|=""|=0s`)
	manOption  = regexp.MustCompile(`(?m)^(?:\.PP\n)?(\\fB-.*)\n\t(.*)$`)
)

// writeManual writes the pages. cobra gives options the default values that are none, and no paragraphs of their
// own; and a date that programs cannot read.
func writeManual(t *testing.T, root *cobra.Command, dir string) {
	t.Helper()
	root.DisableAutoGenTag = true
	var date time.Time
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		date = time.Unix(seconds, 0).UTC()
	}
	header := &doc.GenManHeader{Section: "1", Manual: "User Commands", Source: "udsgrpc", Date: &date}
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text = manDefault.ReplaceAll(text, nil)
		text = manDate.ReplaceAll(text, []byte(`$1 "`+date.Format(time.DateOnly)+`"`))
		text = manOption.ReplaceAll(text, []byte(".TP\n$1\n$2"))
		if err := os.WriteFile(page, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
