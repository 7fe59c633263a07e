package generator_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// fuzzed holds what FuzzNames varies.
type fuzzed struct {
	file, pkg, goPackage, suffix    string
	service, second, method         string
	message, nested, field          string
	enum, value                     string
	comment, header, packageComment string
}

// FuzzNames checks that whatever names and comments a .proto file has, the generator either
// says what is wrong with them or writes Go that type-checks and obeys no comment.
func FuzzNames(f *testing.F) {
	base := fuzzed{
		file: "greeter/v1/greeter.proto", pkg: "greeter.v1", goPackage: "example.com/greeter/v1;greeterv1",
		service: "Greeter", second: "Second", method: "Greet",
		message: "Request", nested: "Nested", field: "field", enum: "Kind", value: "KIND_ZERO",
		comment: " Greeter greets.\n", header: " Copyright.\n", packageComment: " Package.\n",
	}
	for _, change := range []func(*fuzzed){
		func(*fuzzed) {},
		func(z *fuzzed) { z.suffix = "udsgrpc" },
		func(z *fuzzed) { z.suffix = "_test" },
		func(z *fuzzed) { z.suffix = "/../x" },
		func(z *fuzzed) { z.service, z.second = "foo_bar", "FooBar" },
		func(z *fuzzed) { z.service, z.second = "Foo", "FooUDS" },
		func(z *fuzzed) { z.service, z.second = "X", "NewXUDS" },
		func(z *fuzzed) { z.service, z.second, z.method = "A_B", "NewA", "BUDS" },
		func(z *fuzzed) { z.service, z.message, z.nested = "A_B", "NewA", "BUDSServer" },
		func(z *fuzzed) { z.service, z.message, z.field = "A_B", "DialA", "BUDS" },
		func(z *fuzzed) { z.service, z.enum, z.value = "A_B", "NewA", "BUDSServer" },
		func(z *fuzzed) { z.message = "NewGreeterUDSServer" },
		func(z *fuzzed) { z.enum = "DialGreeterUDS" },
		func(z *fuzzed) { z.service, z.method = "type", "func" },
		func(z *fuzzed) { z.service, z.method = "_a", "__b" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/runtime", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/opts", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/init", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/main", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/x;error", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/x;NewGreeterUDSServer", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/a b", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = "example.com/a\"b", "udsgrpc" },
		func(z *fuzzed) { z.goPackage, z.suffix = runtimePath, "udsgrpc" },
		func(z *fuzzed) { z.goPackage = "example.com/x;func" },
		func(z *fuzzed) { z.goPackage = "example.com/x;1bad" },
		func(z *fuzzed) { z.goPackage = "example.com/x;_" },
		func(z *fuzzed) { z.goPackage = runtimePath },
		func(z *fuzzed) { z.file = "a\n//go:build never\nb.proto" },
		func(z *fuzzed) { z.file = "\uFEFF\x00\xff" },
		func(z *fuzzed) { z.comment = "go:generate false\n+build never\n\t +build never\nline x:1\n" },
		func(z *fuzzed) { z.comment = " a\r\n */ b \x00 \uFEFF \xff \f \v \u2028\n\n\n" },
		func(z *fuzzed) { z.comment = " - a\n   +build x\n\n\t+build y\n # h\n [x]: y\n" },
		func(z *fuzzed) { z.comment = "    code\n 1. one\n\ttab\n" },
		func(z *fuzzed) { z.header = "go:build linux\n+build linux\ngo:embed x\n" },
		func(z *fuzzed) { z.header, z.packageComment = "go:build linux", "go:build linux" },
		func(z *fuzzed) { z.header = "go:build (\n" },
		func(z *fuzzed) { z.header = "+build a\fpackage x\n" },
		func(z *fuzzed) { z.header, z.packageComment = " +build a b\n", "+build !c,d\nline x:1\n" },
	} {
		z := base
		change(&z)
		f.Add(z.file, z.pkg, z.goPackage, z.suffix, z.service, z.second, z.method,
			z.message, z.nested, z.field, z.enum, z.value, z.comment, z.header, z.packageComment)
	}
	f.Fuzz(func(t *testing.T, file, pkg, goPackage, suffix, service, second, method,
		message, nested, field, enum, value, comment, header, packageComment string) {
		z := fuzzed{file, pkg, goPackage, suffix, service, second, method,
			message, nested, field, enum, value, comment, header, packageComment}
		plugin, err := protogen.Options{}.New(z.request())
		if err != nil {
			t.Skip("not a valid .proto file:", err)
		}
		if err := checkGenerated(plugin, z); err != nil {
			t.Errorf("%+v:\n%v", z, err)
		}
	})
}

func checkGenerated(plugin *protogen.Plugin, z fuzzed) error {
	if err := generator.Generate(plugin, generator.Options{PackageSuffix: z.suffix}); err != nil {
		if response := plugin.Response(); len(response.File) > 0 {
			return fmt.Errorf("files in spite of the error %w", err)
		}
		return nil
	}
	response := plugin.Response()
	if response.Error != nil || len(response.File) != 1 {
		return fmt.Errorf("got %d files and the error %q from protogen, want one file", len(response.File), response.GetError())
	}
	content := response.File[0].GetContent()
	if formatted, err := format.Source([]byte(content)); err != nil || string(formatted) != content {
		return fmt.Errorf("not as gofmt leaves it: %v\n%s\n%s", err, content, formatted)
	}
	if err := checkComments(content, z); err != nil {
		return fmt.Errorf("%w\n%s", err, content)
	}
	if err := checkTypes(plugin.Files[0], content, z.suffix); err != nil {
		return fmt.Errorf("%w\n%s", err, content)
	}
	return nil
}

func checkTypes(file *protogen.File, content, suffix string) error {
	checker, err := newChecker()
	if err != nil {
		return err
	}
	basePath := string(file.GoImportPath)
	base := baseStub(file)
	if err := checker.check(basePath, base); err != nil {
		return nil // The base stubs contradict each other, with or without this plugin.
	}
	if suffix != "" {
		return checker.check(path.Join(basePath, string(file.GoPackageName)+suffix), content)
	}
	return checker.check(basePath, base, content)
}

// checkComments reports comments that are more than that.
func checkComments(content string, z fuzzed) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), "", content, parser.ParseComments)
	if err != nil {
		return err
	}
	if !ast.IsGenerated(parsed) {
		return errors.New("not marked as generated")
	}
	for _, group := range parsed.Comments {
		for _, line := range group.List {
			if constraint.IsGoBuild(line.Text) || constraint.IsPlusBuild(line.Text) {
				if z.isConstrained() {
					continue
				}
				return fmt.Errorf("%q is in force, and is not of the header", line.Text)
			}
			rest, isLine := strings.CutPrefix(line.Text, "//")
			if !isLine || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				return fmt.Errorf("the comment %q could be a directive", line.Text)
			}
		}
	}
	return nil
}

// isConstrained reports whether the header of the .proto file has build constraints.
func (z fuzzed) isConstrained() bool {
	for line := range strings.SplitSeq(z.header+"\n"+z.packageComment, "\n") {
		line = "//" + strings.TrimSuffix(line, "\r")
		if constraint.IsGoBuild(line) || constraint.IsPlusBuild(line) {
			return true
		}
	}
	return false
}

func (z fuzzed) request() *pluginpb.CodeGeneratorRequest {
	typeName := "." + z.message
	if z.pkg != "" {
		typeName = "." + z.pkg + "." + z.message
	}
	file := &descriptorpb.FileDescriptorProto{
		Name:    &z.file,
		Package: &z.pkg,
		Syntax:  new("proto3"),
		Options: &descriptorpb.FileOptions{GoPackage: &z.goPackage},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name:       &z.message,
			NestedType: []*descriptorpb.DescriptorProto{{Name: &z.nested}},
			OneofDecl:  []*descriptorpb.OneofDescriptorProto{{Name: new("choice")}},
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name:       &z.field,
				Number:     proto.Int32(1),
				Label:      descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
				Type:       descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
				OneofIndex: proto.Int32(0),
			}},
		}},
		EnumType: []*descriptorpb.EnumDescriptorProto{{
			Name:  &z.enum,
			Value: []*descriptorpb.EnumValueDescriptorProto{{Name: &z.value, Number: proto.Int32(0)}},
		}},
		SourceCodeInfo: &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
			{Path: []int32{12}, Span: []int32{0, 0, 0}, LeadingDetachedComments: []string{z.header}},
			{Path: []int32{2}, Span: []int32{1, 0, 0}, LeadingComments: &z.packageComment},
			{Path: []int32{6, 0}, Span: []int32{2, 0, 0}, LeadingComments: &z.comment},
		}},
	}
	for _, name := range []string{z.service, z.second} {
		file.Service = append(file.Service, &descriptorpb.ServiceDescriptorProto{
			Name: new(name),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: &z.method, InputType: &typeName, OutputType: &typeName, ServerStreaming: new(true),
			}},
		})
	}
	// The first service has no rules.
	file.Service[1].Options = new(descriptorpb.ServiceOptions)
	proto.SetExtension(file.Service[1].Options, udsgrpcv1.E_Service, &udsgrpcv1.Rule{
		Allow: []udsgrpcv1.Rule_Caller{udsgrpcv1.Rule_SAME_USER, udsgrpcv1.Rule_ROOT, udsgrpcv1.Rule_ANYONE},
	})
	return &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{z.file},
		ProtoFile:      []*descriptorpb.FileDescriptorProto{file},
	}
}
