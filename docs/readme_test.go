package docs_test

import (
	"bytes"
	"os"
	"testing"
)

// The README is for a first visit: what needs more room has a document of its own.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(source, []byte("\n")); lines > 170 {
		t.Errorf("README.md has %d lines, want at most 170", lines)
	}
}
