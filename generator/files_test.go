package generator_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/generator"
)

func TestFileOfAnotherGoPackageIsRefused(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": `syntax = "proto3"; package a; import "udsgrpc/v1/file.proto";
		option go_package = "example.com/a"; message M { udsgrpc.v1.File file = 1; } service S { rpc Call(M) returns (M); }`})
	const parameter = "Mudsgrpc/v1/file.proto=example.com/gen/udsgrpc/v1"
	request.Parameter = proto.String(parameter)
	files, err := generate(request, generator.Options{})
	const want = `udsgrpc/v1/file.proto: the Go package of message udsgrpc.v1.File is "example.com/gen/udsgrpc/v1", ` +
		`and only in "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1" can it hold an open file: ` +
		`leave the go_package option of the file as it is, and generate no code for it`
	if err == nil || err.Error() != want || len(files) > 0 {
		t.Errorf("got %d files and the error:\n%v\nwant:\n%s", len(files), err, want)
	}
}

// A runtime that knows nothing of files still serves code that has none.
func TestOnlyCodeWithFilesNeedsARuntimeWithThem(t *testing.T) {
	t.Parallel()
	for declarations, want := range map[string]bool{
		`message M { udsgrpc.v1.File file = 1; } service S { rpc Call(M) returns (M); }`:                                true,
		`message M { udsgrpc.v1.File file = 1; } message N {} service S { rpc Call(N) returns (N); }`:                   false,
		`message M { extensions 100; } extend M { udsgrpc.v1.File file = 100; } service S { rpc Call(M) returns (M); }`: false,
	} {
		request := mustCompile(t, map[string]string{"a.proto": `edition = "2023"; package a; import "udsgrpc/v1/file.proto";
			option go_package = "example.com/a"; ` + declarations})
		content := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
		if got := strings.Contains(content, "SupportsFiles1"); content == "" || got != want {
			t.Errorf("%s: got a reference to SupportsFiles1: %t, want %t", declarations, got, want)
		}
	}
}
