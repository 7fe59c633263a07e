package release_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/generator"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// packaged are the files that both kinds of package have besides documents, by package.
var packaged = map[string][]string{
	"udsgrpc": {
		"/usr/bin/udsgrpc",
		"/usr/share/bash-completion/completions/udsgrpc",
		"/usr/share/fish/vendor_completions.d/udsgrpc.fish",
		"/usr/share/man/man1/udsgrpc.1.gz",
		"/usr/share/man/man1/udsgrpc-call.1.gz",
		"/usr/share/man/man1/udsgrpc-completion.1.gz",
		"/usr/share/man/man1/udsgrpc-doctor.1.gz",
		"/usr/share/man/man1/udsgrpc-health.1.gz",
		"/usr/share/man/man1/udsgrpc-ls.1.gz",
		"/usr/share/man/man1/udsgrpc-tap.1.gz",
		"/usr/share/man/man1/udsgrpc-top.1.gz",
		"/usr/share/man/man1/udsgrpc-wait.1.gz",
	},
	"protoc-gen-go-udsgrpc": {
		"/usr/bin/protoc-gen-go-udsgrpc",
		"/usr/share/man/man1/protoc-gen-go-udsgrpc.1.gz",
	},
}

// TestPackages makes the release of the working tree, for this machine alone, and installs its packages.
func TestPackages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds goreleaser, and a release with it")
	}
	dpkg, dpkgDeb, rpm := testproc.Tool(t, "dpkg", "dpkg"), testproc.Tool(t, "dpkg-deb", "dpkg"), testproc.Tool(t, "rpm", "rpm")
	dist := release(t)
	command := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		return testproc.Run(t, cmd)
	}
	version := strings.TrimPrefix(generator.Version, "v")
	for name, files := range packaged {
		deb := one(t, filepath.Join(dist, name+"_"+version+"*.deb"))
		want := append(slices.Clone(files), "/usr/share/doc/"+name+"/copyright")
		if name == "udsgrpc" {
			want = append(want, "/usr/share/zsh/vendor-completions/_udsgrpc")
		}
		if got := command(dpkgDeb, "--field", deb, "Package", "Version", "Section", "Depends"); !strings.HasPrefix(got, "Package: "+name+"\nVersion: "+version+"\n") || strings.Contains(got, "Depends") {
			t.Errorf("%s is of %q", deb, got)
		}
		var listed []string
		for line := range strings.Lines(command(dpkgDeb, "--contents", deb)) {
			fields := strings.Fields(line)
			path := strings.TrimPrefix(fields[len(fields)-1], ".")
			if strings.HasSuffix(path, "/") {
				continue
			}
			listed = append(listed, path)
			checkMode(t, path, fields[0])
			if fields[1] != "root/root" {
				t.Errorf("%s is of %s", path, fields[1])
			}
		}
		checkFiles(t, deb, listed, want)

		file := one(t, filepath.Join(dist, name+"-"+version+"*.rpm"))
		want = append(slices.Clone(files), "/usr/share/licenses/"+name+"/LICENSE")
		if name == "udsgrpc" {
			want = append(want, "/usr/share/zsh/site-functions/_udsgrpc")
		}
		listed = nil
		for line := range strings.Lines(command(rpm, "-qp", "--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]", file)) {
			mode, path, _ := strings.Cut(strings.TrimSpace(line), " ")
			listed = append(listed, path)
			checkMode(t, path, mode)
		}
		checkFiles(t, file, listed, want)
		if got := command(rpm, "-qp", "--queryformat", "%{NAME} %{VERSION} %{LICENSE}", file); got != name+" "+version+" Apache-2.0" {
			t.Errorf("%s is of %q", file, got)
		}
		command(rpm, "--checksig", "--nosignature", file)

		root := t.TempDir()
		for _, dir := range []string{"info", "updates", "triggers"} {
			if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		command(dpkg, "--root="+root, "--force-not-root", "--force-bad-path", "--log="+os.DevNull, "--install", deb)
		if got := command(filepath.Join(root, "usr/bin", name), "--version"); got != name+" "+generator.Version+"\n" {
			t.Errorf("the program that was installed says %q", got)
		}
	}
}

// release makes the archives and packages of the working tree, as if that was committed and tagged, and returns
// where they are.
func release(t *testing.T) (dist string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	run := func(dir string, env []string, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		return testproc.Run(t, cmd)
	}
	goreleaser := strings.TrimSpace(run(root, nil, "go", "tool", "-n", "-modfile=tools/goreleaser.mod", "goreleaser"))
	tree, caches := filepath.Join(t.TempDir(), "tree"), t.TempDir()
	run(root, nil, "sh", "-c", `mkdir "$0" && git ls-files -z --cached --others --exclude-standard |
		tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory="$0"`, tree)
	config := filepath.Join(tree, ".goreleaser.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for all, one := range map[string]string{"&systems [linux, darwin, windows, freebsd]": "&systems [linux]", "&machines [amd64, arm64]": "&machines [" + runtime.GOARCH + "]"} {
		if !bytes.Contains(text, []byte(all)) {
			t.Fatalf("%s has no %q", config, all)
		}
		text = bytes.Replace(text, []byte(all), []byte(one), 1)
	}
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) {
		t.Helper()
		run(tree, []string{"GIT_CONFIG_GLOBAL=" + os.DevNull}, "git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
	}
	git("init", "--quiet")
	git("remote", "add", "origin", "https://github.com/udsgrpc/udsgrpc.git")
	git("add", "--all")
	git("commit", "--quiet", "--message=the working tree")
	for _, prefix := range []string{"", "cmd/udsgrpc/", "udsprometheus/"} {
		git("tag", prefix+generator.Version)
	}
	// With a module cache of its own, as Go notes there what the tags are.
	var env struct{ GOMODCACHE, GOPROXY string }
	if err := json.Unmarshal([]byte(run(root, nil, "go", "env", "-json", "GOMODCACHE", "GOPROXY")), &env); err != nil {
		t.Fatal(err)
	}
	run(tree, []string{"GORELEASER_CURRENT_TAG=" + generator.Version, "GOFLAGS=-modcacherw", "GOMODCACHE=" + caches,
		"GOPROXY=file://" + filepath.Join(env.GOMODCACHE, "cache", "download") + "," + env.GOPROXY},
		goreleaser, "release", "--clean", "--skip=publish,announce")
	return filepath.Join(tree, "release", "dist")
}

// one returns the only file with such a name.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %q, %v", pattern, found, err)
	}
	return found[0]
}

func checkFiles(t *testing.T, archive string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s has\n%s\nwant\n%s", filepath.Base(archive), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func checkMode(t *testing.T, path, mode string) {
	t.Helper()
	want := "-rw-r--r--"
	if strings.HasPrefix(path, "/usr/bin/") {
		want = "-rwxr-xr-x"
	}
	if mode != want {
		t.Errorf("the mode of %s is %s", path, mode)
	}
}
