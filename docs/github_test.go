package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// A tag can be moved to other code, a commit cannot.
var pinnedAction = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}$`)

func TestActionsArePinnedByCommit(t *testing.T) {
	t.Parallel()
	actions := 0
	root := filepath.Join("..", ".github")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var content map[string]any
		if err := yaml.UnmarshalStrict(text, &content); err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		for _, action := range usesIn(content) {
			actions++
			if !pinnedAction.MatchString(action) {
				t.Errorf("%s uses %s, which is not pinned by the hash of a commit", path, action)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if actions == 0 {
		t.Errorf("no workflow in %s uses an action", root)
	}
}

// usesIn returns the values of all keys 'uses', but for actions of this repository.
func usesIn(node any) (actions []string) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if action, ok := value.(string); ok && key == "uses" && !strings.HasPrefix(action, "./") {
				actions = append(actions, action)
			}
			actions = append(actions, usesIn(value)...)
		}
	case []any:
		for _, value := range node {
			actions = append(actions, usesIn(value)...)
		}
	}
	return actions
}

// A module that dependabot does not know is never updated.
func TestDependabotKnowsEveryModule(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directories []string `json:"directories"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, update := range config.Updates {
		for _, dir := range update.Directories {
			known[dir] = update.Ecosystem == "gomod"
		}
	}
	modules := 0
	for _, pattern := range []string{"go.mod", "*/go.mod", "*/*/go.mod"} {
		files, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			modules++
			dir := "/" + strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "..")
			dir = "/" + strings.Trim(dir, "/")
			if !known[dir] {
				t.Errorf(".github/dependabot.yml lacks the module in %s", dir)
			}
		}
	}
	if modules < 2 {
		t.Errorf("found %d modules", modules)
	}
}
