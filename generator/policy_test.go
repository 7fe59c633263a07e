package generator_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

const asRoot = `"/a.Greeter/Greet": runtime.Root(),`

func TestRuleIsSeenHoweverTheOptionsWereDecoded(t *testing.T) {
	t.Parallel()
	plain := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
	encoded := protowire.AppendTag(nil, udsgrpcv1.E_Service.TypeDescriptor().Number(), protowire.BytesType)
	encoded = protowire.AppendBytes(encoded, []byte{1 << 3, byte(udsgrpcv1.Rule_ROOT)}) // not packed
	for name, resolver := range map[string]interface {
		protoregistry.ExtensionTypeResolver
		protoregistry.MessageTypeResolver
	}{
		"as generated Go":     protoregistry.GlobalTypes,
		"as dynamic messages": dynamicpb.NewTypes(dynamicFiles(t)),
		"as unknown fields":   new(protoregistry.Types),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := new(descriptorpb.ServiceOptions)
			if err := (proto.UnmarshalOptions{Resolver: resolver}).Unmarshal(encoded, options); err != nil {
				t.Fatal(err)
			}
			request := proto.CloneOf(plain)
			request.ProtoFile[0].Service[0].Options = options
			content := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
			if !strings.Contains(content, asRoot) {
				t.Errorf("got no policy %s:\n%s", asRoot, content)
			}
		})
	}
}

// dynamicFiles returns the files of the options as a program has them that does not link their
// generated code.
func dynamicFiles(t *testing.T) *protoregistry.Files {
	t.Helper()
	files, err := protodesc.NewFiles(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto),
		protodesc.ToFileDescriptorProto(udsgrpcv1.File_udsgrpc_v1_options_proto),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The golden files cover rules that a .proto file can have with the options of this version.
func TestRulesThatAreNotUnderstoodAreRefused(t *testing.T) {
	t.Parallel()
	const newer = "which protoc-gen-go-udsgrpc v0.1.0 does not know: update the plugin"
	for name, test := range map[string]struct {
		rule []byte
		want string
	}{
		"caller of a newer version":               {[]byte{1 << 3, 4}, "allows caller 4, " + newer},
		"such a caller beside a known one":        {[]byte{1<<3 | 2, 2, 2, 4}, "allows caller 4, " + newer},
		"negative caller":                         {protowire.AppendVarint([]byte{1 << 3}, 1<<64-1), "allows caller -1, " + newer},
		"field of a newer version":                {[]byte{9 << 3, 1}, "has a field " + newer},
		"such a field beside a known one":         {[]byte{1 << 3, 1, 9 << 3, 1}, "has a field " + newer},
		"option of something else, of other type": {[]byte("root"), "cannot be read: "},
	} {
		for _, option := range []protoreflect.ExtensionType{udsgrpcv1.E_Service, udsgrpcv1.E_Method} {
			full := option.TypeDescriptor().FullName()
			t.Run(fmt.Sprintf("%s in %s", name, full), func(t *testing.T) {
				t.Parallel()
				request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
				what := setUnknownOption(request, option, test.rule)
				files, err := generate(request, generator.Options{})
				want := fmt.Sprintf("a.proto: %s: the option (%s) %s", what, full, test.want)
				if err == nil || !strings.HasPrefix(err.Error(), want) || len(files) > 0 {
					t.Errorf("got %d files and the error %v, want none and %q", len(files), err, want)
				}
			})
		}
	}
}

// setUnknownOption gives the first service or method an option that nobody has decoded, and
// returns what errors call that.
func setUnknownOption(request *pluginpb.CodeGeneratorRequest, option protoreflect.ExtensionType, value []byte) string {
	encoded := protowire.AppendTag(nil, option.TypeDescriptor().Number(), protowire.BytesType)
	encoded = protowire.AppendBytes(encoded, value)
	service := request.ProtoFile[0].Service[0]
	if option == udsgrpcv1.E_Service {
		service.Options = new(descriptorpb.ServiceOptions)
		service.Options.ProtoReflect().SetUnknown(encoded)
		return "service a.Greeter"
	}
	service.Method[0].Options = new(descriptorpb.MethodOptions)
	service.Method[0].Options.ProtoReflect().SetUnknown(encoded)
	return "rpc a.Greeter.Greet"
}

func TestBadRuleInAFileOfAnotherRunIsNotReported(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{
		"a.proto": source("a", "example.com/a", ""),
		"b.proto": `syntax = "proto3"; package b; import "a.proto"; option go_package = "example.com/b";
			service B { rpc Call(a.Empty) returns (a.Empty); }`,
	})
	setUnknownOption(request, udsgrpcv1.E_Service, nil)
	request.FileToGenerate = []string{"b.proto"}
	if files := mustGenerate(t, request, generator.Options{}); len(files) != 1 {
		t.Errorf("got %d files, want that of b.proto", len(files))
	}
}
