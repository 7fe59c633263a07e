// Package more_test looks at files of other examples with what only this module has.
package more_test

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The manifests of examples that need no more than the module they are in, which has no parser.
func TestManifestsAreYAML(t *testing.T) {
	t.Parallel()
	for file, key := range map[string]string{
		"../gateway/envoy.yaml":     "static_resources",
		"../sidecar/pod.yaml":       "spec",
		"../sidecar/daemonset.yaml": "spec",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var manifest map[string]any
		if err := yaml.Unmarshal(text, &manifest); err != nil || manifest[key] == nil {
			t.Errorf("%s: %v, %q is %v", file, err, key, manifest[key])
		}
	}
}
