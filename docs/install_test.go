package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestWhatIsReleasedIsInstalledByVersion installs the programs, and gets the other module, as users do: from a
// module proxy that has what the tags on the working tree would give it, go.mod as it stands there, and nothing
// of a checkout.
func TestWhatIsReleasedIsInstalledByVersion(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds both programs")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	library := readOrFail(t, root)
	modules := []*goModule{library}
	path := library.gomod.Module.Mod.Path
	version := ""
	for _, dir := range released {
		m := readOrFail(t, filepath.Join(root, dir))
		modules = append(modules, m)
		for _, require := range m.gomod.Require {
			if require.Mod.Path == path {
				version = require.Mod.Version
			}
		}
	}
	for _, m := range modules {
		if err := m.publish(proxy, version); err != nil {
			t.Fatal(err)
		}
	}

	// What this version has in the user's caches later is something else, so it gets none of these.
	home := t.TempDir()
	env := append(os.Environ(), "HOME="+home, "GOPATH="+home, "GOMODCACHE="+filepath.Join(home, "mod"), "GOBIN="+filepath.Join(home, "bin"),
		"GOCACHE="+goEnv(t, "GOCACHE"), "GOFLAGS=-modcacherw -trimpath", "GOWORK=off", "GONOSUMDB="+path, "GOTOOLCHAIN=local",
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download")+","+goEnv(t, "GOPROXY"))
	run := func(dir, name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir, command.Env = dir, env
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, output)
		}
		return string(output)
	}
	for _, program := range []string{"protoc-gen-go-udsgrpc", "udsgrpc"} {
		run(home, "go", "install", path+"/cmd/"+program+"@"+version)
		installed := filepath.Join(home, "bin", program)
		if runtime.GOOS == "windows" {
			installed += ".exe"
		}
		if got, want := run(home, installed, "--version"), program+" "+version; strings.TrimSpace(got) != want {
			t.Errorf("%s --version says %q, want %q", program, got, want)
		}
	}

	// As a tool of a program's own module.
	program := filepath.Join(home, "program")
	if err := os.Mkdir(program, 0o755); err != nil {
		t.Fatal(err)
	}
	run(program, "go", "mod", "init", "example.com/program")
	run(program, "go", "get", "-tool", path+"/cmd/udsgrpc@latest")
	if got, want := run(program, "go", "tool", "udsgrpc", "--version"), "udsgrpc "+version; strings.TrimSpace(got) != want {
		t.Errorf("go tool udsgrpc --version says %q, want %q", got, want)
	}

	run(program, "go", "get", path+"/udsprometheus@latest")
	run(program, "go", "build", path+"/udsprometheus")
}

func readOrFail(t *testing.T, root string) *goModule {
	t.Helper()
	m, err := readModule(root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "env", "-json", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	if err := json.Unmarshal(output, &values); err != nil {
		t.Fatal(err)
	}
	return values[name]
}
