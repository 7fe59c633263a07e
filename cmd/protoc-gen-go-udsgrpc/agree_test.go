package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCompilersAgree checks that buf, with either strategy, and protoc get the very bytes of the
// golden files. The tests of the generator compare those with the output for a third compiler.
func TestCompilersAgree(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs buf")
	}
	buf := buf(t)
	compilers := map[string]func(t *testing.T, protos, out, opt string) *exec.Cmd{
		"buf, strategy all": func(t *testing.T, protos, out, opt string) *exec.Cmd {
			return bufCommand(t, buf, "all", protos, out, opt)
		},
		"buf, strategy directory": func(t *testing.T, protos, out, opt string) *exec.Cmd {
			return bufCommand(t, buf, "directory", protos, out, opt)
		},
		"protoc": func(t *testing.T, protos, out, opt string) *exec.Cmd {
			if !hasProtoc(t) {
				t.Skip("protoc, or what it includes, is not installed")
			}
			return protocCommand(t, protos, out, opt)
		},
	}
	for _, golden := range []string{
		"carriage_returns", "comments", "constraints", "deprecated", "directives", "file_names", "greeter", "policies", "several_packages",
	} {
		protos, err := filepath.Abs(filepath.Join("..", "..", "testdata", "golden", golden))
		if err != nil {
			t.Fatal(err)
		}
		for compiler, command := range compilers {
			t.Run(golden+" with "+compiler, func(t *testing.T) {
				t.Parallel()
				out := t.TempDir()
				for _, opt := range []string{"module=golden.test/" + golden, "module=golden.test/" + golden + ",package_suffix=udsgrpc"} {
					command := command(t, protos, out, opt)
					if output, err := command.CombinedOutput(); err != nil {
						t.Fatalf("%s: %v\n%s", command, err, output)
					}
				}
				if diff := cmp.Diff(readTree(t, filepath.Join(protos, "want")), readTree(t, out)); diff != "" {
					t.Errorf("generated code differs (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func bufCommand(t *testing.T, buf, strategy, protos, out, opt string) *exec.Cmd {
	template := fmt.Sprintf(`{"version":"v2","plugins":[{"local":%q,"out":%q,"strategy":%q,"opt":%q}]}`,
		name, out, strategy, opt)
	// A copy, for buf wants a workspace to be one directory, and could find the configuration of
	// this repository in the directory of the test.
	workspace := t.TempDir()
	if err := errors.Join(os.CopyFS(filepath.Join(workspace, "protos"), os.DirFS(protos)), copyOptions(optionsDir(t), filepath.Join(workspace, "options"))); err != nil {
		t.Fatal(err)
	}
	config := `{"version":"v2","modules":[{"path":"protos"},{"path":"options"}]}`
	if err := os.WriteFile(filepath.Join(workspace, "buf.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(buf, "generate", "protos", "--template", template)
	command.Dir = workspace
	return inSandbox(command)
}

func protocCommand(t *testing.T, protos, out, opt string) *exec.Cmd {
	args := []string{"--proto_path=" + protos, "--proto_path=" + optionsDir(t),
		"--go-udsgrpc_out=" + out, "--go-udsgrpc_opt=" + opt}
	for file := range readTree(t, protos) {
		if strings.HasSuffix(file, ".proto") {
			args = append(args, file)
		}
	}
	command := exec.Command("protoc", args...)
	command.Dir = t.TempDir()
	return inSandbox(command)
}

// optionsDir returns the directory from which .proto files import udsgrpc/v1/options.proto.
func optionsDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "proto"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyOptions copies what users import to another such directory, as they are told to.
func copyOptions(from, to string) error {
	const imported = "udsgrpc/v1"
	return os.CopyFS(filepath.Join(to, imported), os.DirFS(filepath.Join(from, imported)))
}

func inSandbox(command *exec.Cmd) *exec.Cmd {
	command.Env = os.Environ()
	for key, value := range sandbox(command.Dir) {
		command.Env = append(command.Env, key+"="+value)
	}
	return command
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
