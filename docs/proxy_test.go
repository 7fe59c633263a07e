package docs_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// publish makes dir a module proxy that has one version of the module at root: what is there now.
// The version tells the content, as the go command takes for granted that a version never
// changes, also in its build cache.
func publish(root, dir string) error {
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	files, err := modzip.CheckDir(root)
	if err != nil {
		return err
	}
	sum, err := dirhash.Hash1(files.Valid, func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		return err
	}
	m := module.Version{
		Path:    modfile.ModulePath(gomod),
		Version: fmt.Sprintf("v0.1.0-docs.h%.6x", sha256.Sum256([]byte(sum))),
	}

	versions := filepath.Join(dir, m.Path, "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"list":              m.Version + "\n",
		m.Version + ".info": fmt.Sprintf("{\"Version\": %q, \"Time\": \"2026-01-01T00:00:00Z\"}\n", m.Version),
		m.Version + ".mod":  string(gomod),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(versions, m.Version+".zip"))
	if err != nil {
		return err
	}
	defer archive.Close()
	if err := modzip.CreateFromDir(archive, m, root); err != nil {
		return err
	}
	return archive.Close()
}
