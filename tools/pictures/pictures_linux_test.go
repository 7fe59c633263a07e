package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

// Pictures show what the tool does now.
func TestPicturesAreUpToDate(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true").Run(); err != nil && os.Getenv("UDSGRPC_CI") != "1" {
		t.Skipf("there are no namespaces: %v", err)
	}
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS("../../docs/pictures")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-out", out)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, p := range pictures {
		committed, err := os.ReadFile(filepath.Join("../../docs/pictures", p.name+".svg"))
		if err != nil {
			t.Errorf("%v: run make pictures", err)
			continue
		}
		made, err := os.ReadFile(filepath.Join(out, p.name+".svg"))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(made, committed) {
			t.Errorf("%s has changed, look at it and run make pictures:\n%s", p.name, made)
		}
	}
}

func TestPicturesAreAlikeWhereOnlyNumbersDiffer(t *testing.T) {
	t.Parallel()
	draw := func(text string) []byte {
		t.Helper()
		const columns, rows = 60, 5
		screen := vt.NewEmulator(columns, rows)
		defer screen.Close()
		if _, err := screen.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return svg(screen, columns, rows)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"calls/s  7.5  appd(12)\r\np50 10µs  5 B", "calls/s  12345  appd(13)\r\np50 1.25ms  12 KiB", true},
		{"one  1\r\ntwo  2", "two  3\r\none  4\r\ntwo  5", true}, // calls come in any order
		{"one  1", "one  1  failed", false},
		{"one  OK", "one  \x1b[31mOK\x1b[0m", false},
	} {
		if isAlike(draw(c.a), draw(c.b)) != c.want {
			t.Errorf("whether %q and %q are alike is not %v", c.a, c.b, c.want)
		}
	}
	if isAlike(nil, draw("one")) {
		t.Error("a picture is like none")
	}
}

func TestScreenIsDrawnAsItLooks(t *testing.T) {
	t.Parallel()
	const columns, rows = 20, 5
	screen := vt.NewEmulator(columns, rows)
	defer screen.Close()
	if _, err := screen.WriteString("a<b  \x1b[31mred\x1b[0m\r\n\x1b[1;7mall\x1b[0m\x1b[4;1H\x1b[2Kend"); err != nil {
		t.Fatal(err)
	}
	picture := string(svg(screen, columns, rows))
	for _, want := range []string{
		">a&lt;b</text>",
		` fill="#ff7b72">red</text>`,
		` fill="#e6edf3"/>`, // the background of what is reversed
		` fill="#0d1117" font-weight="bold">all</text>`,
		">end</text>",
		`height="100"`, // four lines
	} {
		if !strings.Contains(picture, want) {
			t.Errorf("there is no %s in\n%s", want, picture)
		}
	}
}
