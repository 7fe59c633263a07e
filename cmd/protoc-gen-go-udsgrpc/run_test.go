package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args   []string
		status int
		stdout string
		stderr string
	}{
		{args: []string{"--version"}, stdout: "protoc-gen-go-udsgrpc v0.1.0\n"},
		{args: []string{"--help"}, stdout: usage},
		{args: []string{"-h"}, stdout: usage},
		{args: []string{"--unknown"}, status: 1, stderr: `unknown arguments ["--unknown"]`},
		{args: []string{"greeter.proto"}, status: 1, stderr: "--help says how"},
		{args: []string{"--version", "--help"}, status: 1, stderr: `["--version" "--help"]`},
		{args: []string{""}, status: 1, stderr: `unknown arguments [""]`},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			status := run(test.args, strings.NewReader(""), &stdout, &stderr)
			if status != test.status || stdout.String() != test.stdout {
				t.Errorf("got status %d and output %q, want %d and %q", status, &stdout, test.status, test.stdout)
			}
			if test.stderr == "" && stderr.Len() > 0 || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("standard error: got %q, want %q", &stderr, test.stderr)
			}
		})
	}
}

func TestHelpNamesEveryParameter(t *testing.T) {
	t.Parallel()
	for _, parameter := range []string{
		"paths=", "module=", "M<file>=", "package_suffix=", "annotate_code", "default_api_level=", "apilevelM<file>=",
	} {
		if !strings.Contains(usage, "\n  "+parameter) {
			t.Errorf("the help has no line for %s", parameter)
		}
	}
}

func TestProtocolErrorsGoToStandardError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stdin  io.Reader
		stdout io.Writer
		stderr string
	}{
		"input that is no request":  {strings.NewReader("syntax = 3;"), io.Discard, "standard input is not a request of protoc or buf"},
		"input that cannot be read": {brokenPipe{}, io.Discard, "read the request: broken pipe"},
		"output that is closed":     {encode(t, greeterRequest("")), brokenPipe{}, "write the response: broken pipe"},
		"an unknown parameter":      {encode(t, greeterRequest("package_sufix=x")), io.Discard, `unknown parameter "package_sufix"`},
		"another case of a known parameter": {encode(t, greeterRequest("Package_suffix=x")), io.Discard,
			"paths, module, M<file>, annotate_code, default_api_level, apilevelM<file> and package_suffix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr strings.Builder
			status := run(nil, test.stdin, test.stdout, &stderr)
			if status != 1 || !strings.HasPrefix(stderr.String(), "protoc-gen-go-udsgrpc: ") ||
				!strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("got status %d and %q, want 1 and %q", status, &stderr, test.stderr)
			}
		})
	}
}

func TestErrorsInProtoFilesArePartOfTheResponse(t *testing.T) {
	t.Parallel()
	clash := greeterRequest("")
	clash.ProtoFile[0].MessageType = append(clash.ProtoFile[0].MessageType,
		&descriptorpb.DescriptorProto{Name: new("DialGreeterUDS")})
	noPackage := greeterRequest("")
	noPackage.ProtoFile[0].Options = nil
	for name, test := range map[string]struct {
		request *pluginpb.CodeGeneratorRequest
		want    string
	}{
		"a clash of names":         {clash, "clashes with message a.DialGreeterUDS"},
		"no go_package option":     {noPackage, `unable to determine Go import path for "greeter.proto"`},
		"a suffix without value":   {greeterRequest("package_suffix"), "package_suffix has no value: write package_suffix=udsgrpc, or leave it out"},
		"an empty suffix":          {greeterRequest("package_suffix="), "package_suffix has no value"},
		"two suffixes":             {greeterRequest("package_suffix=a,package_suffix=b"), `package_suffix is given as "a" and as "b": give it once`},
		"an impossible sub-packge": {greeterRequest("package_suffix=a-b"), `package_suffix "a-b" has the character '-'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := mustRun(t, test.request)
			if !strings.Contains(response.GetError(), test.want) || len(response.File) > 0 {
				t.Errorf("got the error %q and %d files, want %q and none", response.GetError(), len(response.File), test.want)
			}
			if response.GetSupportedFeatures() == 0 || response.GetMaximumEdition() == 0 {
				t.Error("the response lacks the supported features, about which protoc complains first")
			}
		})
	}
}

func TestParametersReachTheGenerator(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]string{
		"":                                       "example.com/a/greeter_udsgrpc.pb.go",
		"package_suffix=udsgrpc":                 "example.com/a/audsgrpc/greeter_udsgrpc.pb.go",
		"package_suffix=x,package_suffix=x":      "example.com/a/ax/greeter_udsgrpc.pb.go",
		"package_suffix=x,paths=source_relative": "ax/greeter_udsgrpc.pb.go",
		"module=example.com":                     "a/greeter_udsgrpc.pb.go",
		"Mgreeter.proto=example.com/b;c":         "example.com/b/greeter_udsgrpc.pb.go",
		"Mgreeter.proto=example.com/b;c,package_suffix=x":              "example.com/b/cx/greeter_udsgrpc.pb.go",
		"default_api_level=API_OPAQUE,apilevelMgreeter.proto=API_OPEN": "example.com/a/greeter_udsgrpc.pb.go",
	} {
		t.Run(parameter, func(t *testing.T) {
			t.Parallel()
			response := mustRun(t, greeterRequest(parameter))
			if len(response.File) != 1 || response.File[0].GetName() != want {
				t.Errorf("got %v, error %q; want the file %s", response.File, response.GetError(), want)
			}
		})
	}
}

func TestAnnotationsLinkFunctionsToTheService(t *testing.T) {
	t.Parallel()
	response := mustRun(t, greeterRequest("annotate_code"))
	if len(response.File) != 2 {
		t.Fatalf("got %d files and the error %q, want the code and its annotations", len(response.File), response.GetError())
	}
	meta := response.File[1]
	if meta.GetName() != "example.com/a/greeter_udsgrpc.pb.go.meta" || strings.Count(meta.GetContent(), "path:6") != 2 {
		t.Errorf("got %s with %s, want an annotation for either function", meta.GetName(), meta.GetContent())
	}
}

func mustRun(t *testing.T, request *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorResponse {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(nil, encode(t, request), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("got status %d and standard error %q, want 0 and nothing", status, &stderr)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(stdout.Bytes(), response); err != nil {
		t.Fatal(err)
	}
	return response
}

func greeterRequest(parameter string) *pluginpb.CodeGeneratorRequest {
	return &pluginpb.CodeGeneratorRequest{
		Parameter:      &parameter,
		FileToGenerate: []string{"greeter.proto"},
		ProtoFile: []*descriptorpb.FileDescriptorProto{{
			Name:        new("greeter.proto"),
			Package:     new("a"),
			Options:     &descriptorpb.FileOptions{GoPackage: new("example.com/a")},
			MessageType: []*descriptorpb.DescriptorProto{{Name: new("Empty")}},
			Service: []*descriptorpb.ServiceDescriptorProto{{
				Name: new("Greeter"),
				Method: []*descriptorpb.MethodDescriptorProto{{
					Name: new("Greet"), InputType: new(".a.Empty"), OutputType: new(".a.Empty"),
				}},
			}},
		}},
	}
}

func encode(t *testing.T, request *pluginpb.CodeGeneratorRequest) io.Reader {
	t.Helper()
	encoded, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(encoded)
}

type brokenPipe struct{}

func (brokenPipe) Read([]byte) (int, error)  { return 0, errors.New("broken pipe") }
func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
