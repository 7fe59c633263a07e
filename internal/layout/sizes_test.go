// Package layout_test keeps the shape of the source code: which package imports which, and how much
// there is in one file and one directory.
package layout_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

const (
	// root is the directory of the repository.
	root = "../.."

	maxLines = 420
	// maxRuntimeFiles is how many Go files there are in runtime/. It is lowered when there are fewer,
	// and not raised: what is new goes into a package of its own below runtime/internal, and tests over
	// real processes into one beside runtime/conformance.
	maxRuntimeFiles = 46
)

// As it reads every Go file, go test answers from its cache only if none has changed.
func TestFilesAndDirectoriesStaySmall(t *testing.T) {
	t.Parallel()
	repository := os.DirFS(root)
	files, inRuntime := 0, 0
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		source, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		files++
		if path.Dir(name) == "runtime" {
			inRuntime++
		}
		if lines := bytes.Count(source, []byte("\n")); lines > maxLines && !bytes.HasPrefix(source, []byte("// Code generated ")) {
			t.Errorf("%s has %d lines, more than %d: it holds more than one concept", name, lines, maxLines)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if inRuntime > maxRuntimeFiles {
		t.Errorf("runtime/ has %d Go files, more than %d: put what is new into a package below runtime/internal", inRuntime, maxRuntimeFiles)
	}
	if files < maxRuntimeFiles || inRuntime == 0 {
		t.Errorf("found %d Go files, %d of them in runtime/: is %s the repository?", files, inRuntime, root)
	}
}
