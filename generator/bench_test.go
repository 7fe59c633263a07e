package generator_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"

	"github.com/udsgrpc/udsgrpc/generator"
)

func BenchmarkGenerate(b *testing.B) {
	for _, services := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			var declarations strings.Builder
			for i := range services {
				fmt.Fprintf(&declarations, "// Service%d is one of many.\nservice Service%d { rpc Call(Empty) returns (Empty); }\n", i, i)
			}
			request := mustCompile(b, map[string]string{"a.proto": source("a", "example.com/a", declarations.String())})
			b.ReportAllocs()
			for b.Loop() {
				plugin, err := protogen.Options{}.New(request)
				if err != nil {
					b.Fatal(err)
				}
				if err := generator.Generate(plugin, generator.Options{}); err != nil {
					b.Fatal(err)
				}
				if response := plugin.Response(); len(response.File) != 1 {
					b.Fatalf("got %d files and the error %q, want one file", len(response.File), response.GetError())
				}
			}
		})
	}
}
