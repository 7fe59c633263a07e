package release_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBufTakesTheRemotePlugin has buf read buf.plugin.yaml as it does to push it. buf's parser is
// not for other projects to import, so this runs buf up to where it has read the file and turns
// to Docker for the image. Docker is played here, and lacks it: nothing is pushed.
func TestBufTakesTheRemotePlugin(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs buf")
	}
	buf := bufPath(t)
	content, err := os.ReadFile(filepath.Join("buf", "buf.plugin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content string
		taken   bool
		failure string
	}{
		"as it is": {string(content), true, "No such image"},
		// What buf would refuse shows that it reads the file before it asks for the image.
		"an unknown field":   {string(content) + "registy: {}\n", false, "field registy not found"},
		"no such license":    {strings.Replace(string(content), "Apache-2.0", "Apache-9", 1), false, `unknown SPDX License ID "Apache-9"`},
		"no version":         {strings.Replace(string(content), "plugin_version", "#", 1), false, "a plugin_version is required"},
		"another's registry": {strings.Replace(string(content), "plugin: buf.build", "plugin: example.com", 1), false, "must use same remote"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "buf.plugin.yaml"), []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
			var asked atomic.Bool
			docker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/images/udsgrpc-go/json") {
					asked.Store(true)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(`{"message":"No such image"}`))
			}))
			defer docker.Close()

			command := exec.Command(buf, "beta", "registry", "plugin", "push", dir, "--image=udsgrpc-go", "--visibility=private")
			command.Env = append(os.Environ(), "HOME="+dir, "BUF_CACHE_DIR="+dir, "DOCKER_HOST=tcp://"+docker.Listener.Addr().String())
			output, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(output), test.failure) {
				t.Errorf("buf ends with %v, want it to fail with %q:\n%s", err, test.failure, output)
			}
			if asked.Load() != test.taken {
				t.Errorf("buf asked for the image: %t, want %t", asked.Load(), test.taken)
			}
		})
	}
}

// bufPath returns the path of the buf that the tools module pins. Go builds it when there is none.
func bufPath(t *testing.T) string {
	t.Helper()
	command := exec.Command("go", "tool", "-n", "-modfile=tools/buf.mod", "buf")
	command.Dir = ".."
	command.Env = append(os.Environ(), "GOWORK=off")
	command.Stderr = t.Output()
	output, err := command.Output()
	if err != nil {
		t.Fatalf("build buf: %v", err)
	}
	return strings.TrimSpace(string(output))
}
