package docs_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// released are the directories of the modules that are released beside that of the repository, which they
// require. The first is the tool's.
var released = []string{"cmd/udsgrpc", "udsprometheus"}

// publishTree makes dir a module proxy that has one version of the module at root and of those released beside
// it, as far as there are any: what is there now. The version tells the content, as the go command takes for granted that a version
// never changes, also in its build cache.
func publishTree(root, dir string) error {
	library, err := readModule(root)
	if err != nil {
		return err
	}
	files := library.files
	var others []*goModule
	for _, dir := range released {
		other, err := readModule(filepath.Join(root, dir))
		switch {
		case err == nil:
			others = append(others, other)
			files = slices.Concat(files, other.files)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	sum, err := dirhash.Hash1(files, func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		return err
	}
	version := fmt.Sprintf("v0.1.0-docs.h%.6x", sha256.Sum256([]byte(sum)))
	if err := library.publish(dir, version); err != nil {
		return err
	}
	for _, other := range others {
		if err := other.gomod.AddRequire(library.gomod.Module.Mod.Path, version); err != nil {
			return err
		}
		if err := other.publish(dir, version); err != nil {
			return err
		}
	}
	return nil
}

// goModule is a module in the working tree.
type goModule struct {
	root  string
	gomod *modfile.File
	files []string // their paths begin with root
}

func readModule(root string) (*goModule, error) {
	path := filepath.Join(root, "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	gomod, err := modfile.Parse(path, text, nil)
	if err != nil {
		return nil, err
	}
	files, err := modzip.CheckDir(root)
	if err != nil {
		return nil, err
	}
	return &goModule{root, gomod, files.Valid}, nil
}

// publish adds a version of the module to the module proxy in dir.
func (m *goModule) publish(dir, version string) error {
	gomod, err := m.gomod.Format()
	if err != nil {
		return err
	}
	mod := module.Version{Path: m.gomod.Module.Mod.Path, Version: version}
	versions := filepath.Join(dir, mod.Path, "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": fmt.Sprintf("{\"Version\": %q, \"Time\": \"2026-01-01T00:00:00Z\"}\n", version),
		version + ".mod":  string(gomod),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		return err
	}
	defer archive.Close()
	var files []modzip.File
	for _, name := range m.files {
		below, err := filepath.Rel(m.root, name)
		if err != nil {
			return err
		}
		f := treeFile{path: filepath.ToSlash(below), name: name}
		if f.path == "go.mod" {
			f.content = gomod
		}
		files = append(files, f)
	}
	if err := modzip.Create(archive, mod, files); err != nil {
		return err
	}
	return archive.Close()
}

// treeFile is a file for the archive of a module, with another content if there is one.
type treeFile struct {
	path, name string // in the archive, and on disk
	content    []byte
}

func (f treeFile) Path() string { return f.path }

func (f treeFile) Lstat() (fs.FileInfo, error) {
	info, err := os.Lstat(f.name)
	if err == nil && f.content != nil {
		info = resized{info, int64(len(f.content))}
	}
	return info, err
}

// resized is a file with another content of that size.
type resized struct {
	fs.FileInfo
	size int64
}

func (r resized) Size() int64 { return r.size }

func (f treeFile) Open() (io.ReadCloser, error) {
	if f.content != nil {
		return io.NopCloser(bytes.NewReader(f.content)), nil
	}
	return os.Open(f.name)
}
