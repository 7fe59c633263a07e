package load_test

import (
	"testing"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// BenchmarkUnary is a small call within one process. The comparison with others, between two
// processes, is in bench.
func BenchmarkUnary(b *testing.B) {
	for name, opts := range map[string][]runtime.DialOption{
		"direct": nil,
		"HTTP2":  {runtime.WithHTTP2Only()},
	} {
		b.Run(name, func(b *testing.B) {
			path := fixture.FreePath(b)
			greetertest.Serve(b, path, greetertest.New())
			client, _ := greetertest.Dial(b, path, opts...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Greet(b.Context(), &greeterv1.GreetRequest{Name: "you"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstReply is what a program pays that makes one call and ends.
func BenchmarkFirstReply(b *testing.B) {
	for name, opts := range map[string][]runtime.DialOption{
		"direct": nil,
		"HTTP2":  {runtime.WithHTTP2Only()},
	} {
		b.Run(name, func(b *testing.B) {
			path := fixture.FreePath(b)
			greetertest.Serve(b, path, greetertest.New())
			for b.Loop() {
				client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := client.Greet(b.Context(), &greeterv1.GreetRequest{Name: "you"}); err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}
