package generator_test

import (
	"fmt"
	"log"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
)

// A build tool that has descriptors can generate without running the plugin.
func ExampleGenerate() {
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{"greeter/v1/greeter.proto"},
		ProtoFile: []*descriptorpb.FileDescriptorProto{{
			Name:    new("greeter/v1/greeter.proto"),
			Package: new("greeter.v1"),
			Options: &descriptorpb.FileOptions{GoPackage: new("example.com/greeter/v1;greeterv1")},
			Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Greeter")}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := generator.Generate(plugin, generator.Options{PackageSuffix: "udsgrpc"}); err != nil {
		log.Fatal(err)
	}
	for _, file := range plugin.Response().File {
		fmt.Println(file.GetName())
		for line := range strings.Lines(file.GetContent()) {
			if strings.HasPrefix(line, "func ") {
				fmt.Print(line)
			}
		}
	}
	// Output:
	// example.com/greeter/v1/greeterv1udsgrpc/greeter_udsgrpc.pb.go
	// func NewGreeterUDSServer(path string, srv greeterv1.GreeterServer, opts ...runtime.ServerOption) (*runtime.Server, error) {
	// func DialGreeterUDS(path string, opts ...runtime.DialOption) (greeterv1.GreeterClient, *runtime.ClientConn, error) {
}
