package generator_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/gofeaturespb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// compile turns .proto sources, by path, into the request that protoc would send for all of them.
//
// The compiler used here does not know edition 2024. It compiles such files as edition 2023, and
// their descriptors are then marked as 2024. The tests of the command go through buf, which knows
// that edition.
func compile(sources map[string]string, parameter string) (*pluginpb.CodeGeneratorRequest, error) {
	known := maps.Clone(sources)
	is2024 := make(map[string]bool)
	for path, source := range sources {
		known[path] = strings.Replace(source, `edition = "2024";`, `edition = "2023";`, 1)
		is2024[path] = known[path] != source
	}
	paths := slices.Sorted(maps.Keys(sources))

	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.CompositeResolver{
			&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(known)},
			protocompile.ResolverFunc(linked),
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), paths...)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: paths, Parameter: &parameter}
	added := make(map[string]bool)
	for _, file := range files {
		addWithImports(request, file, added)
	}
	for _, file := range request.ProtoFile {
		if is2024[file.GetName()] {
			file.Edition = descriptorpb.Edition_EDITION_2024.Enum()
		}
	}

	// Plugins get bytes. What decoding does to options is part of what they see.
	encoded, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	decoded := new(pluginpb.CodeGeneratorRequest)
	return decoded, proto.Unmarshal(encoded, decoded)
}

// linked finds what other .proto files import of those whose Go code is part of this program.
func linked(path string) (protocompile.SearchResult, error) {
	for _, file := range []protoreflect.FileDescriptor{
		gofeaturespb.File_google_protobuf_go_features_proto,
		udsgrpcv1.File_udsgrpc_v1_options_proto,
		udsgrpcv1.File_udsgrpc_v1_file_proto,
	} {
		if path == file.Path() {
			return protocompile.SearchResult{Desc: file}, nil
		}
	}
	return protocompile.SearchResult{}, protoregistry.NotFound
}

func addWithImports(request *pluginpb.CodeGeneratorRequest, file linker.File, added map[string]bool) {
	if added[file.Path()] {
		return
	}
	added[file.Path()] = true
	for imports, i := file.Imports(), 0; i < imports.Len(); i++ {
		addWithImports(request, file.FindImportByPath(imports.Get(i).Path()), added)
	}
	if result, ok := file.(linker.Result); ok {
		request.ProtoFile = append(request.ProtoFile, result.FileDescriptorProto())
		return
	}
	request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(file))
}

// generate runs the generator on request and returns the generated files by name.
func generate(request *pluginpb.CodeGeneratorRequest, opts generator.Options) (map[string]string, error) {
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return nil, fmt.Errorf("protogen: %w", err)
	}
	if err := generator.Generate(plugin, opts); err != nil {
		return nil, err
	}
	response := plugin.Response()
	if response.Error != nil {
		// Errors of this kind are left for what the generator itself should have refused.
		return nil, errors.New("response: " + response.GetError())
	}
	files := make(map[string]string)
	for _, file := range response.File {
		files[file.GetName()] = file.GetContent()
	}
	return files, nil
}

func mustCompile(t testing.TB, sources map[string]string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	request, err := compile(sources, "")
	if err != nil {
		t.Fatalf("compile the sources: %v", err)
	}
	return request
}

func mustGenerate(t testing.TB, request *pluginpb.CodeGeneratorRequest, opts generator.Options) map[string]string {
	t.Helper()
	files, err := generate(request, opts)
	if err != nil {
		t.Fatalf("generate: %v", err)
	}
	return files
}
