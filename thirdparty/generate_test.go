package thirdparty_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/udsgrpc/udsgrpc/generator"
)

func TestGeneratedFilesAreWhatThePluginGeneratesNow(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("generate.sh needs a Unix shell")
	}
	out := t.TempDir()
	// go test reuses a result until the test binary or a file read here changes. So the script is
	// read here, and the generator called: without a call it would not be part of the binary.
	if err := generator.Generate(new(protogen.Plugin), generator.Options{}); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("generate.sh")
	if err != nil {
		t.Fatal(err)
	}
	generate := exec.CommandContext(t.Context(), "sh", "-c", string(script), "generate.sh", out)
	if output, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate.sh: %v\n%s", err, output)
	}
	want, got := readFiles(t, filepath.Join(out, "gen")), readFiles(t, "gen")
	if len(want) == 0 {
		t.Fatal("generate.sh generated nothing")
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("gen/%s is missing or out of date: run sh generate.sh", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("gen/%s is generated no more: remove it", name)
		}
	}
}

// readFiles returns the files below dir by their path there.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	tree := os.DirFS(dir)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
