// protoc-gen-go is the plugin of that name that tools/go.mod pins, and gives the struct of the message
// udsgrpc.v1.File the field that holds its open file. It is for 'make generate', and run at the root of
// the repository.
//
// As it is a plugin itself, nothing is ever written without the field: the package would not compile then,
// nor would the next plugin, which imports it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "internal/protoc-gen-go: %v\n", err)
		os.Exit(1)
	}
}

func run(request io.Reader, response io.Writer) error {
	generated := new(bytes.Buffer)
	plugin := exec.Command("go", "tool", "-modfile=tools/go.mod", "protoc-gen-go")
	plugin.Stdin, plugin.Stdout, plugin.Stderr = request, generated, os.Stderr
	if err := plugin.Run(); err != nil {
		return fmt.Errorf("protoc-gen-go: %w", err)
	}
	encoded, err := edit(generated.Bytes())
	if err != nil {
		return err
	}
	_, err = response.Write(encoded)
	return err
}

// edit adds the field to what the plugin has answered, if the message is in it.
func edit(response []byte) ([]byte, error) {
	files := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(response, files); err != nil {
		return nil, fmt.Errorf("the answer of protoc-gen-go: %w", err)
	}
	for _, file := range files.File {
		if file.GetName() != generatedFile {
			continue
		}
		source, err := addField(file.GetContent())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", generatedFile, err)
		}
		file.Content = &source
	}
	return proto.Marshal(files)
}
