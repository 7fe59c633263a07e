package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// An example is a program that a reader starts, so its README says how, and TestDocument does it.
func TestEveryExampleHasAReadmeThatIsRun(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	tested, err := documents(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"examples", "examples/more"} {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !entry.IsDir() || entry.Name() == "more" {
				continue
			}
			readme := filepath.Join(dir, entry.Name(), "README.md")
			if !slices.Contains(tested, readme) {
				t.Errorf("%s is not there, or not tested", readme)
				continue
			}
			source, err := os.ReadFile(filepath.Join(root, readme))
			if err != nil {
				t.Fatal(err)
			}
			d, err := parse(readme, source)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(d.blocks, isRun) {
				t.Errorf("%s has no block that is run", readme)
			}
		}
	}
}

func isRun(b *block) bool {
	_, not := b.attributes["norun"]
	return b.kind == command && !not
}
