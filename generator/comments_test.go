package generator_test

import (
	"fmt"
	"go/format"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
)

// The golden files cover comments that a .proto file can have. These tests cover what only
// descriptors can: some compilers check little.

func TestOddSourcePathStaysInItsComment(t *testing.T) {
	t.Parallel()
	for odd, want := range map[string]string{
		"a\n//go:build never\r.proto": `"a\n//go:build never\r.proto"`,
		"bom\uFEFF.proto":             `"bom\ufeff.proto"`,
		"invalid\xff.proto":           `"invalid\xff.proto"`,
		"a b/ü.proto":                 `a b/ü.proto`,
	} {
		for _, deprecated := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q, deprecated %t", odd, deprecated), func(t *testing.T) {
				t.Parallel()
				request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
				request.FileToGenerate[0], request.ProtoFile[0].Name = odd, &odd
				request.ProtoFile[0].Options.Deprecated = &deprecated
				comments := []string{"\n// source: " + want + "\n"}
				if deprecated {
					comments = []string{"\n// " + want + " is a deprecated file.\n", "\n// Deprecated: " + want + " is marked as deprecated.\n"}
				}
				for _, content := range mustGenerate(t, request, generator.Options{}) {
					for _, comment := range comments {
						if !strings.Contains(content, comment) {
							t.Errorf("got this, want the comment %q:\n%s", comment, content)
						}
					}
				}
			})
		}
	}
}

func TestCommentsLoseWhatGoSourceCannotHold(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
	setComment(request, []int32{6, 0},
		"\x00go:embed x\n nul\x00 bom\uFEFF cr\r utf8\xff ff\f vt\v esc\x1b nel\u0085 ls\u2028 ps\u2029.\n\x0b+build x\n")
	content := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
	const want = "//\n// go:embed x\n// nul bom cr utf8 ff vt esc nel ls ps.\n// (+build x)\nfunc "
	if strings.Count(content, want) != 2 {
		t.Errorf("got this, want %q on both functions:\n%s", want, content)
	}
}

// gofmt changes this comment twice.
func TestGeneratedCodeIsAsGofmtLeavesIt(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
	setComment(request, []int32{6, 0}, "    code\n 1. one\n\ttab\n")
	content := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
	formatted, err := format.Source([]byte(content))
	if err != nil || string(formatted) != content || !strings.Contains(content, "code") {
		t.Errorf("got this, which gofmt changes (%v):\n%s", err, content)
	}
}

func TestNoConstraintComesOfCleaning(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
	setComment(request, []int32{2}, "go:bu\xffild never\n+bu\x00ild never\ngo:build nev\uFEFFer\n")
	content := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
	const want = "\n// go:build never\n// (+build never)\n// go:build never\n\npackage a\n"
	if !strings.Contains(content, want) {
		t.Errorf("got this, want %q in the header:\n%s", want, content)
	}
}

func TestDeprecationExplainedAfterALineOfSpacesIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	request := mustCompile(t, map[string]string{"a.proto": source("a", "example.com/a", "")})
	deprecated := true
	request.ProtoFile[0].Service[0].Options = &descriptorpb.ServiceOptions{Deprecated: &deprecated}
	setComment(request, []int32{6, 0}, " Old.\n  \t\n Deprecated: Use another.\n")
	content := mustGenerate(t, request, generator.Options{})["example.com/a/a_udsgrpc.pb.go"]
	if strings.Count(content, "// Old.\n//\n// Deprecated: Use another.\nfunc ") != 2 {
		t.Errorf("got this, want the one explanation on both functions:\n%s", content)
	}
}

// setComment replaces the leading comment of what the path leads to in the first file.
func setComment(request *pluginpb.CodeGeneratorRequest, path []int32, comment string) {
	for _, location := range request.ProtoFile[0].SourceCodeInfo.Location {
		if slices.Equal(location.Path, path) {
			location.LeadingComments = &comment
		}
	}
}
