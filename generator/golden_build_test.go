package generator_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// TestGeneratedCodeCompiles puts the golden code and its base stubs into one module and vets that for
// each platform. The base stubs are generated here rather than kept: they are ten times as long,
// and only say what other plugins do.
func TestGeneratedCodeCompiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("vets some hundred packages for three platforms")
	}
	module := t.TempDir()
	plugins := buildBasePlugins(t)
	packages := make(map[string]bool)
	for _, golden := range goldenCases(t) {
		code := golden.generate(t)
		maps.DeleteFunc(code, func(name, _ string) bool { return path.Ext(name) != ".go" })
		if len(code) == 0 {
			continue
		}
		for _, plugin := range plugins {
			maps.Copy(code, runBasePlugin(t, plugin, golden))
		}
		addTree(t, filepath.Join(module, golden.name), code)
		for file := range code {
			packages["./"+path.Join(golden.name, path.Dir(file))] = true
		}
	}
	writeGoMod(t, module)

	for _, goos := range []string{"linux", "darwin", "windows"} {
		// The tag brings in the packages that a build constraint keeps out.
		args := append([]string{"vet", "-tags=never"}, slices.Sorted(maps.Keys(packages))...)
		runGo(t, module, []string{"GOOS=" + goos, "GOFLAGS=-mod=mod", "CGO_ENABLED=0"}, args...)
	}
}

func writeGoMod(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const rootModule = "github.com/udsgrpc/udsgrpc"
	addTree(t, dir, map[string]string{
		"go.mod": strings.Replace(string(mod), "module "+rootModule, "module "+goldenModule, 1) +
			"\nrequire " + rootModule + " v0.0.0\n\nreplace " + rootModule + " => " + root + "\n",
		"go.sum": string(sum),
	})
}

// buildBasePlugins returns the programs that generate the base stubs.
func buildBasePlugins(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	runGo(t, "..", nil, "build", "-modfile=tools/go.mod", "-o", dir+string(filepath.Separator),
		"google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc")
	plugins, err := filepath.Glob(filepath.Join(dir, "protoc-gen-*"))
	if err != nil || len(plugins) != 2 {
		t.Fatalf("plugins for the base stubs: got %v, error %v; want two", plugins, err)
	}
	return plugins
}

// runBasePlugin returns the base stubs by path within the golden case.
func runBasePlugin(t *testing.T, plugin string, golden goldenCase) map[string]string {
	t.Helper()
	request := proto.CloneOf(golden.request)
	for _, file := range request.ProtoFile {
		keepConstraintsOnly(file)
	}
	input, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(plugin)
	command.Stdin = bytes.NewReader(input)
	command.Stderr = t.Output()
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s on %s: %v", plugin, golden.name, err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(output, response); err != nil {
		t.Fatalf("%s on %s: %v", plugin, golden.name, err)
	}
	if response.Error != nil {
		t.Fatalf("%s on %s: %s", plugin, golden.name, response.GetError())
	}
	stubs := make(map[string]string)
	for _, file := range response.File {
		stubs[strings.TrimPrefix(file.GetName(), path.Join(goldenModule, golden.name)+"/")] = file.GetContent()
	}
	return stubs
}

// keepConstraintsOnly removes the comments of file except build constraints. The base plugins copy
// comments without making them safe, and some golden cases have comments that break the stubs.
func keepConstraintsOnly(file *descriptorpb.FileDescriptorProto) {
	constraints := regexp.MustCompile(`(?m)^ ?(go:build|\+build) .*\n`)
	for _, location := range file.SourceCodeInfo.GetLocation() {
		comments := append(location.LeadingDetachedComments, location.GetLeadingComments())
		location.LeadingDetachedComments, location.LeadingComments, location.TrailingComments = nil, nil, nil
		if len(location.Path) != 1 {
			continue
		}
		for _, comment := range comments {
			if found := constraints.FindAllString(comment, -1); found != nil {
				location.LeadingDetachedComments = append(location.LeadingDetachedComments, strings.Join(found, ""))
			}
		}
	}
}

func runGo(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), append([]string{"GOWORK=off"}, env...)...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go %s, with %v: %v\n%s", args[0], env, err, output)
	}
}
