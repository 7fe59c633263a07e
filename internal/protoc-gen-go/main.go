// protoc-gen-go is the plugin of that name that tools/go.mod pins, and gives the struct of the message
// udsgrpc.v1.File the field that holds its open file. It is for 'make generate', and run at the root of
// the repository.
//
// As it is a plugin itself, nothing is ever written without the field: the package would not compile then,
// nor would the next plugin, which imports it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "internal/protoc-gen-go: %v\n", err)
		os.Exit(1)
	}
}

func run(input io.Reader, output io.Writer) error {
	request, err := io.ReadAll(input)
	if err != nil {
		return err
	}
	plugin := exec.Command("go", "tool", "-modfile=tools/go.mod", "protoc-gen-go")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(request), os.Stderr
	response, err := plugin.Output()
	if err != nil {
		return fmt.Errorf("protoc-gen-go: %w", err)
	}
	if response, err = edit(request, response); err != nil {
		return err
	}
	_, err = output.Write(response)
	return err
}

// edit adds the field to what the plugin has answered to a request, if the request is for the message.
func edit(request, response []byte) ([]byte, error) {
	asked, files := new(pluginpb.CodeGeneratorRequest), new(pluginpb.CodeGeneratorResponse)
	if err := errors.Join(proto.Unmarshal(request, asked), proto.Unmarshal(response, files)); err != nil {
		return nil, err
	}
	if files.Error != nil || !slices.Contains(asked.GetFileToGenerate(), protoFile) {
		return response, nil
	}
	at := slices.IndexFunc(files.File, func(f *pluginpb.CodeGeneratorResponse_File) bool { return f.GetName() == generatedFile })
	if at < 0 {
		return nil, fmt.Errorf("for %s protoc-gen-go generates no %s", protoFile, generatedFile)
	}
	source, err := addField(files.File[at].GetContent())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", generatedFile, err)
	}
	files.File[at].Content = &source
	return proto.Marshal(files)
}
