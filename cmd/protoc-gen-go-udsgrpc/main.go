// Command protoc-gen-go-udsgrpc is a plugin for protoc and buf. For each gRPC service it generates
// two Go functions, which serve it and dial it over a Unix domain socket:
//
//	func NewGreeterUDSServer(path string, srv GreeterServer, opts ...runtime.ServerOption) (*runtime.Server, error)
//	func DialGreeterUDS(path string, opts ...runtime.DialOption) (GreeterClient, *runtime.ClientConn, error)
//
// They go beside the files of protoc-gen-go and protoc-gen-go-grpc, which they need. Run the
// command with --help for its parameters.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/generator"
)

const name = "protoc-gen-go-udsgrpc"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run does what the command does and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		return runByHand(args, stdout, stderr)
	}
	if file, ok := stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(stderr, usage)
		return 2
	}
	if err := respond(stdin, stdout); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

func runByHand(args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 {
		switch args[0] {
		case "--version":
			fmt.Fprintln(stdout, name, generator.Version)
			return 0
		case "--help", "-h":
			fmt.Fprint(stdout, usage)
			return 0
		}
	}
	fmt.Fprintf(stderr, "%s: unknown arguments %q: protoc or buf runs this program, without arguments; --help says how\n", name, args)
	return 1
}

// respond answers the request on stdin. Errors in .proto files become part of the response, as
// the protocol of plugins has it; an error returned is one in the request.
func respond(stdin io.Reader, stdout io.Writer) error {
	input, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	request := new(pluginpb.CodeGeneratorRequest)
	if err := proto.Unmarshal(input, request); err != nil {
		return fmt.Errorf("standard input is not a request of protoc or buf: %w", err)
	}

	var opts generator.Options
	plugin, err := protogen.Options{ParamFunc: func(key, value string) error {
		return setParameter(&opts, key, value)
	}}.New(request)
	var unknown *unknownParameterError
	if errors.As(err, &unknown) {
		return err
	}
	if err != nil {
		// A plugin without files still reports the supported features, without which protoc
		// would complain about those instead.
		plugin = new(protogen.Plugin)
		plugin.Error(err)
	}
	if err := generator.Generate(plugin, opts); err != nil {
		plugin.Error(err)
	}

	output, err := proto.Marshal(plugin.Response())
	if err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	if _, err := stdout.Write(output); err != nil {
		return fmt.Errorf("write the response: %w", err)
	}
	return nil
}

// setParameter stores a parameter that protogen does not handle itself.
func setParameter(opts *generator.Options, key, value string) error {
	if key != "package_suffix" {
		return &unknownParameterError{key}
	}
	switch {
	case value == "":
		return errors.New("package_suffix has no value: write package_suffix=udsgrpc, or leave it out to generate into the package of the stubs")
	case opts.PackageSuffix != "" && opts.PackageSuffix != value:
		return fmt.Errorf("package_suffix is given as %q and as %q: give it once", opts.PackageSuffix, value)
	}
	opts.PackageSuffix = value
	return nil
}

type unknownParameterError struct{ key string }

func (e *unknownParameterError) Error() string {
	return fmt.Sprintf("unknown parameter %q: the known ones are paths, module, M<file>, annotate_code, "+
		"default_api_level, apilevelM<file> and package_suffix", e.key)
}
