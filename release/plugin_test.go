// Package release_test checks what is given to others: the remote plugin for buf's registry and
// the image in which it runs. README.md says how a release is made.
package release_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"

	"github.com/udsgrpc/udsgrpc/generator"
)

// A remotePlugin is what buf.plugin.yaml says.
type remotePlugin struct {
	Version             string
	Name                string
	PluginVersion       string `yaml:"plugin_version"`
	SourceURL           string `yaml:"source_url"`
	IntegrationGuideURL string `yaml:"integration_guide_url"`
	Description         string
	OutputLanguages     []string `yaml:"output_languages"`
	Deps                []struct{ Plugin string }
	LicenseID           string `yaml:"spdx_license_id"`
	LicenseURL          string `yaml:"license_url"`
}

func TestRemotePluginIsOfThePluginsVersion(t *testing.T) {
	t.Parallel()
	if got := readRemotePlugin(t).PluginVersion; got != generator.Version {
		t.Errorf("plugin_version is %s, while protoc-gen-go-udsgrpc --version says %s", got, generator.Version)
	}
}

func TestRemotePluginLinksToFilesOfItsVersion(t *testing.T) {
	t.Parallel()
	plugin := readRemotePlugin(t)
	prefix := plugin.SourceURL + "/blob/" + generator.Version + "/"
	for field, url := range map[string]string{
		"license_url":           plugin.LicenseURL,
		"integration_guide_url": plugin.IntegrationGuideURL,
	} {
		file, found := strings.CutPrefix(url, prefix)
		if !found {
			t.Errorf("%s is %q, and does not begin with %q", field, url, prefix)
			continue
		}
		if _, err := os.Stat(filepath.Join("..", file)); err != nil {
			t.Errorf("%s is %q: %v", field, url, err)
		}
	}
}

// All modules are released under one number, the root first.
func TestOtherModulesRequireTheVersionThatIsReleased(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"cmd/udsgrpc", "udsprometheus"} {
		required := requiredVersions(t, filepath.Join("..", module, "go.mod"))
		if got := required["github.com/udsgrpc/udsgrpc"]; got != generator.Version {
			t.Errorf("%s/go.mod requires %q, while protoc-gen-go-udsgrpc --version says %s", module, got, generator.Version)
		}
	}
}

// The stubs that this project is tested with are those of the plugins in tools/go.mod.
func TestRemotePluginDependsOnTheTestedPlugins(t *testing.T) {
	t.Parallel()
	modules := map[string]string{
		"buf.build/protocolbuffers/go": "google.golang.org/protobuf",
		"buf.build/grpc/go":            "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
	}
	tested := requiredVersions(t, filepath.Join("..", "tools", "go.mod"))
	for _, dependency := range readRemotePlugin(t).Deps {
		plugin, version, _ := strings.Cut(dependency.Plugin, ":")
		if want := tested[modules[plugin]]; version != want {
			t.Errorf("deps has %s, while tools/go.mod has the version %q", dependency.Plugin, want)
		}
		delete(modules, plugin)
	}
	if len(modules) > 0 {
		t.Errorf("deps lacks %v", modules)
	}
}

// readRemotePlugin fails the test on fields that remotePlugin lacks. The registry section is one,
// for the reason in buf.plugin.yaml.
func readRemotePlugin(t *testing.T) remotePlugin {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("buf", "buf.plugin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var plugin remotePlugin
	if err := decoder.Decode(&plugin); err != nil {
		t.Fatal(err)
	}
	return plugin
}

// requiredVersions returns the version of each module that the go.mod file requires.
func requiredVersions(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := modfile.Parse(file, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]string)
	for _, require := range parsed.Require {
		versions[require.Mod.Path] = require.Mod.Version
	}
	return versions
}
