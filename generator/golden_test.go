package generator_test

import (
	"flag"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
)

const (
	goldenDir = "../testdata/golden"

	// goldenModule begins the Go import path of every golden case.
	goldenModule = "golden.test"
)

// update is a flag of go test, and these have to exist before the tests start.
var update = flag.Bool("update", false, "rewrite the golden files")

// A goldenCase is a directory of .proto files. Its subdirectory want holds what is generated for
// them, with and without package_suffix=udsgrpc, under the import paths of the packages below
// golden.test/<case>. If there is nothing to generate, for an error, it holds the error instead.
type goldenCase struct {
	name    string
	dir     string
	request *pluginpb.CodeGeneratorRequest
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, golden := range goldenCases(t) {
		t.Run(golden.name, func(t *testing.T) {
			t.Parallel()
			got := golden.generate(t)
			want := filepath.Join(golden.dir, "want")
			if *update {
				writeTree(t, want, got)
				return
			}
			if diff := cmp.Diff(readTree(t, want, ""), got); diff != "" {
				t.Errorf("generated code differs (-want +got); go test ./generator -update accepts it:\n%s", diff)
			}
		})
	}
}

func TestGeneratedCodeIsFormatted(t *testing.T) {
	t.Parallel()
	for _, golden := range goldenCases(t) {
		for name, content := range golden.generate(t) {
			if path.Ext(name) != ".go" {
				continue
			}
			formatted, err := format.Source([]byte(content))
			if err != nil {
				t.Errorf("%s/%s: %v", golden.name, name, err)
			}
			if diff := cmp.Diff(string(formatted), content); diff != "" {
				t.Errorf("%s/%s is not as gofmt writes it (-gofmt +got):\n%s", golden.name, name, diff)
			}
		}
	}
}

func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	entries, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		dir := filepath.Join(goldenDir, entry.Name())
		protos := readTree(t, dir, ".proto")
		if len(protos) == 0 {
			t.Fatalf("%s has no .proto file: add one, or remove the directory", dir)
		}
		cases = append(cases, goldenCase{entry.Name(), dir, mustCompile(t, protos)})
	}
	return cases
}

// generate returns the contents of want.
func (c goldenCase) generate(t *testing.T) map[string]string {
	t.Helper()
	got := make(map[string]string)
	for _, form := range []struct {
		errorFile string
		opts      generator.Options
	}{
		{"error.txt", generator.Options{}},
		{"error_package_suffix.txt", generator.Options{PackageSuffix: "udsgrpc"}},
	} {
		files, err := generate(c.request, form.opts)
		if err != nil {
			got[form.errorFile] = err.Error() + "\n"
		}
		for name, content := range files {
			relative, ok := strings.CutPrefix(name, path.Join(goldenModule, c.name)+"/")
			if !ok {
				t.Fatalf("%s: the go_package options must begin with %s", name, path.Join(goldenModule, c.name))
			}
			got[relative] = content
		}
	}
	return got
}

// readTree returns the files below dir by slash-separated path, those with the extension if it is
// not empty. A directory that does not exist is an empty one.
func readTree(t *testing.T, dir, extension string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return files
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || extension != "" && path.Ext(name) != extension {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// writeTree makes files the only content of dir.
func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	addTree(t, dir, files)
}

func addTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
