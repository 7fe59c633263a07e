package generator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/gofeaturespb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
)

// source returns a .proto file with a service called Greeter.
func source(protoPackage, goPackage, declarations string) string {
	return `syntax = "proto3";
package ` + protoPackage + `;
option go_package = "` + goPackage + `";
service Greeter { rpc Greet(Empty) returns (Empty); }
message Empty {}
` + declarations
}

func TestOutputDependsOnTheFileAlone(t *testing.T) {
	t.Parallel()
	const path = "a/a.proto"
	sources := map[string]string{
		path:        source("a", "example.com/a", ""),
		"b/b.proto": source("b", "example.com/b", ""),
		"a/c.proto": `syntax = "proto3"; package a; import "a/a.proto"; option go_package = "example.com/a";`,
	}
	request := mustCompile(t, sources)
	want := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
	if want == "" {
		t.Fatal("nothing generated for a/a.proto")
	}
	for name, change := range map[string]func(*pluginpb.CodeGeneratorRequest){
		"again":                func(*pluginpb.CodeGeneratorRequest) {},
		"another compiler":     func(r *pluginpb.CodeGeneratorRequest) { r.CompilerVersion = &pluginpb.Version{Major: proto.Int32(99)} },
		"fewer files":          func(r *pluginpb.CodeGeneratorRequest) { r.FileToGenerate = []string{path} },
		"files in other order": func(r *pluginpb.CodeGeneratorRequest) { slices.Reverse(r.FileToGenerate) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := proto.CloneOf(request)
			change(changed)
			got := mustGenerate(t, changed, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("output differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyFilesToGenerateGetCode(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{
		"a.proto": source("a", "example.com/a", ""),
		"b.proto": `syntax = "proto3"; package b; import "a.proto"; option go_package = "example.com/b";
			service B { rpc Call(a.Empty) returns (a.Empty); }`,
	})
	request.FileToGenerate = []string{"b.proto"}
	files := mustGenerate(t, request, generator.Options{})
	if _, ok := files["example.com/b/b_udsgrpc.pb.go"]; !ok || len(files) != 1 {
		t.Errorf("got %d files, want that of b.proto alone", len(files))
	}
}

func TestFilesOfThePluginStayAsTheyAre(t *testing.T) {
	t.Parallel()
	plugin, err := protogen.Options{}.New(mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")}))
	if err != nil {
		t.Fatal(err)
	}
	file := plugin.Files[0]
	before, descriptor := *file, proto.CloneOf(file.Proto)
	if err := generator.Generate(plugin, generator.Options{PackageSuffix: "udsgrpc"}); err != nil {
		t.Fatal(err)
	}
	if file.GoPackageName != before.GoPackageName || file.GoImportPath != before.GoImportPath ||
		file.GeneratedFilenamePrefix != before.GeneratedFilenamePrefix || !proto.Equal(file.Proto, descriptor) {
		t.Errorf("got %+v, want it as before: %+v", file, before)
	}
}

func TestSupportsEveryLanguageUpToEdition2024(t *testing.T) {
	t.Parallel()
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := generator.Generate(plugin, generator.Options{}); err != nil {
		t.Fatal(err)
	}
	want := &pluginpb.CodeGeneratorResponse{
		SupportedFeatures: proto.Uint64(1 | 2), // proto3 optional, editions
		MinimumEdition:    proto.Int32(int32(descriptorpb.Edition_EDITION_PROTO2)),
		MaximumEdition:    proto.Int32(int32(descriptorpb.Edition_EDITION_2024)),
	}
	if got := plugin.Response(); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPackagesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		goPackage, suffix, want string
	}{
		"suffix with a dash":        {"example.com/a", "uds-grpc", `package_suffix "uds-grpc" has the character '-'`},
		"suffix with a slash":       {"example.com/a", "/x", `package_suffix "/x" has the character '/'`},
		"suffix with a space":       {"example.com/a", "x ", `package_suffix "x " has the character ' '`},
		"suffix beyond ASCII":       {"example.com/a", "ü", `package_suffix "ü" has the character 'ü'`},
		"suffix of invalid UTF-8":   {"example.com/a", "\xff", `package_suffix "\xff" has the character '�'`},
		"suffix of tests":           {"example.com/a", "_test", `makes a Go package named a_test, which Go reserves`},
		"suffix that makes main":    {"example.com/x;ma", "in", `makes a Go package named main, which Go reserves`},
		"program":                   {"example.com/x;main", "udsgrpc", `a.proto: the Go package "example.com/x" is named main, so no package of its own can import it`},
		"path beyond ASCII":         {"example.com/ä;a", "udsgrpc", `a.proto: the Go import path "example.com/ä/audsgrpc" has the character 'ä'`},
		"path with a quote":         {"example.com/'/x;a", "udsgrpc", `has the character '\''`},
		"package beyond ASCII":      {"example.com/x;ä", "udsgrpc", `"example.com/x/äudsgrpc" has the character 'ä'`},
		"relative path":             {"./a", "udsgrpc", `the Go import path "./a" is not a full one, so no package of its own can import it: change the go_package option, tell the plugin the import path of the stubs with Ma.proto=IMPORT/PATH, or`},
		"path up":                   {"../a", "udsgrpc", `the Go import path "../a" is not a full one`},
		"absolute path":             {"/a", "udsgrpc", `the Go import path "/a" is not a full one`},
		"path that ends in a slash": {"example.com/a/", "udsgrpc", `the Go import path "example.com/a/" is not a full one`},
		"package named as keyword":  {"example.com/x;func", "", `a.proto: "func" cannot be the name of a Go package`},
		"package without a name":    {"example.com/x;_", "", `a.proto: "_" cannot be the name of a Go package`},
		"package with a dash":       {"example.com/x;a-b", "udsgrpc", `"a-b" cannot be the name of a Go package`},
		"the runtime of this":       {runtimePath, "", `is the one that generated code imports`},
		"the runtime, with package": {runtimePath, "udsgrpc", `is the one that generated code imports`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := mustCompile(t, map[string]string{"a.proto": source("a", test.goPackage, "")})
			files, err := generate(request, generator.Options{PackageSuffix: test.suffix})
			if err == nil || !strings.Contains(err.Error(), test.want) || len(files) > 0 {
				t.Errorf("got %d files and the error %v, want none and %q", len(files), err, test.want)
			}
		})
	}
}

func TestPackageMainIsFineWithoutSuffix(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/x;main", "")})
	content := mustGenerate(t, request, generator.Options{})["example.com/x/a_udsgrpc.pb.go"]
	if !strings.Contains(content, "\npackage main\n") {
		t.Errorf("got no package main:\n%s", content)
	}
}

func TestClashWithAFileOfAnotherRun(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{
		"a.proto": `syntax = "proto3"; package a; import "b.proto"; option go_package = "example.com/p";
			service first { rpc Greet(b.Empty) returns (b.Empty); }
			service greeter { rpc Greet(b.Empty) returns (b.Empty); }`,
		"b.proto": source("b", "example.com/p", "message DialFirstUDS {}"),
	})
	request.FileToGenerate = []string{"a.proto"}
	_, err := generate(request, generator.Options{})
	const want = "a.proto: service a.first: the generated function DialFirstUDS clashes with message b.DialFirstUDS (b.proto): " +
		"rename one of them, or generate into a package of its own with package_suffix=udsgrpc\n" +
		"a.proto: service a.greeter: the generated function NewGreeterUDSServer clashes with service b.Greeter (b.proto): rename one of them"
	if err == nil || err.Error() != want {
		t.Errorf("got the error:\n%v\nwant:\n%s", err, want)
	}
}

func TestClashWithALaterFileOfAnotherRun(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{
		"a.proto": `syntax = "proto3"; package a; option go_package = "example.com/p"; service greeter {}`,
		"b.proto": source("b", "example.com/p", ""),
		"c.proto": `syntax = "proto3"; package c; import "b.proto"; option go_package = "example.com/c"; message C { b.Empty e = 1; }`,
	})
	request.FileToGenerate = []string{"a.proto", "c.proto"}
	_, err := generate(request, generator.Options{})
	const want = "b.proto: service b.Greeter: the generated function NewGreeterUDSServer clashes with service a.greeter (a.proto): rename one of them"
	if err == nil || err.Error() != want {
		t.Errorf("got the error %v, want %s", err, want)
	}
}

func TestClashWithinFilesOfAnotherRunIsNotReported(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{
		"a.proto": `syntax = "proto3"; package a; import "b.proto"; option go_package = "example.com/a";
			service A { rpc Call(b.Empty) returns (b.Empty); }`,
		"b.proto": source("b", "example.com/b", "message DialGreeterUDS {}"),
	})
	request.FileToGenerate = []string{"a.proto"}
	if files := mustGenerate(t, request, generator.Options{}); len(files) != 1 {
		t.Errorf("got %d files, want that of a.proto", len(files))
	}
}

func TestClashWithAnEnumValueUnderItsPrefixedName(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": `edition = "2024"; package a; option go_package = "example.com/a";
		service A_NEW_A_B {}
		enum NewA { NEW_A_BUDSServer = 0; }`})
	features := &descriptorpb.FeatureSet{}
	proto.SetExtension(features, gofeaturespb.E_Go, &gofeaturespb.GoFeatures{
		StripEnumPrefix: gofeaturespb.GoFeatures_STRIP_ENUM_PREFIX_GENERATE_BOTH.Enum(),
	})
	request.ProtoFile[0].Options.Features = features
	_, err := generate(request, generator.Options{})
	const want = "the generated function NewA_NEW_A_BUDSServer clashes with enum value a.NEW_A_BUDSServer"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got the error %v, want %q", err, want)
	}
}
