package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"slices"
)

const (
	protoFile     = "udsgrpc/v1/file.proto"
	generatedFile = "proto/udsgrpc/v1/file.pb.go"
	message       = "File"

	// field is embedded. The type stands in file.go, beside the generated file.
	field = "openFile // the file itself; see file.go. Put here by internal/protoc-gen-go"
)

// generatedFields are what protoc-gen-go puts into the struct. If they ever change, it has to be seen
// whether a field more is still left alone by package protobuf.
var generatedFields = []string{"state", "Id", "unknownFields", "sizeCache"}

// addField adds the field to the struct of the message.
func addField(source string) (string, error) {
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, generatedFile, source, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	fields := structOf(file)
	if fields == nil {
		return "", fmt.Errorf("there is no struct %s: protoc-gen-go generates something else than it did", message)
	}
	if names := namesOf(fields); !slices.Equal(names, generatedFields) {
		return "", fmt.Errorf("struct %s has the fields %q and not %q: protoc-gen-go generates something else than it did, "+
			"so look whether one more can be added as before", message, names, generatedFields)
	}
	end := positions.Position(fields.Closing).Offset
	edited, err := format.Source([]byte(source[:end] + "\t" + field + "\n" + source[end:]))
	if err != nil {
		return "", errors.Join(errors.New("with the field added"), err)
	}
	return string(edited), nil
}

// structOf returns the fields of the message's struct, nil if there is none.
func structOf(file *ast.File) *ast.FieldList {
	for _, declaration := range file.Decls {
		types, ok := declaration.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			if spec := spec.(*ast.TypeSpec); spec.Name.Name == message {
				if found, ok := spec.Type.(*ast.StructType); ok {
					return found.Fields
				}
			}
		}
	}
	return nil
}

func namesOf(fields *ast.FieldList) (names []string) {
	for _, field := range fields.List {
		if len(field.Names) == 0 {
			names = append(names, "") // embedded
		}
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}
