package release_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
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

// The release is made with the version of goreleaser with which it was tried.
func TestReleaseIsMadeWithTheTriedGoreleaser(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", ".github", "workflows", "release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string
				With struct{ Version string }
			}
		}
	}
	if err := yaml.Unmarshal(content, &workflow); err != nil {
		t.Fatal(err)
	}
	want := requiredVersions(t, filepath.Join("..", "tools", "goreleaser.mod"))["github.com/goreleaser/goreleaser/v2"]
	found := false
	for _, step := range workflow.Jobs["archives"].Steps {
		if strings.HasPrefix(step.Uses, "goreleaser/") {
			found = true
			if step.With.Version != want {
				t.Errorf("the workflow has goreleaser %q, tools/goreleaser.mod %q", step.With.Version, want)
			}
		}
	}
	if !found {
		t.Error("the workflow has no step with goreleaser")
	}
}
