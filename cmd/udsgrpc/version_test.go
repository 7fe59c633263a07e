package main

import (
	"runtime/debug"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/version"
)

func TestVersionIsTheStampedOneIfThereIsAny(t *testing.T) {
	for stamp, want := range map[string]string{"v1.2.3": "v1.2.3", "(devel)": version.Version, "": version.Version} {
		if got := versionOf(debug.Module{Version: stamp}); got != want {
			t.Errorf("with the stamp %q it is %s, want %s", stamp, got, want)
		}
	}
}
