package files_test

import (
	"fmt"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// BenchmarkCall is a call to a server in another process, without files in the type, with none in the message, and
// with some, which the server leaves to the runtime.
func BenchmarkCall(b *testing.B) {
	path, _ := start(b, "serve")
	client := dial(b, path)
	b.Run("no file in the type", func(b *testing.B) {
		for b.Loop() {
			if _, err := client.Echo(b.Context(), &filetestv1.Plain{Text: "x"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	f := newFile("x")
	defer f.Close()
	for _, n := range []int{0, 1, 16} {
		b.Run(fmt.Sprintf("%d files", n), func(b *testing.B) {
			m := many("ignore", runtime.ShareFile(f), n)
			for b.Loop() {
				if _, err := client.Swap(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
