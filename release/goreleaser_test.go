package release_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What the archives hold is checked by snapshot.sh, which takes too long for a test.
func TestEveryCommandIsReleased(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Builds []struct{ Dir, Main string }
	}
	if err := yaml.Unmarshal(content, &config); err != nil {
		t.Fatal(err)
	}
	commands, err := os.ReadDir(filepath.Join("..", "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, command := range commands {
		want = append(want, "cmd/"+command.Name())
	}
	for _, build := range config.Builds {
		got = append(got, path.Join(build.Dir, build.Main))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf(".goreleaser.yaml builds %q, while the commands are %q", got, want)
	}
}
