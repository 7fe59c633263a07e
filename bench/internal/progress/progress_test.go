package progress_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/progress"
)

// A file is no terminal: it gets a few plain lines, and no control characters.
func TestPlainLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bar := progress.New(f)
	const all = 1000
	for done := range all + 1 {
		bar.Show(done, all, "unary")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 21 || !strings.HasPrefix(lines[0], "0%") || !strings.HasPrefix(lines[20], "100%") {
		t.Errorf("got %d lines:\n%s", len(lines), text)
	}
	if strings.ContainsAny(string(text), "\r\x1b") {
		t.Errorf("control characters in %q", text)
	}
}
