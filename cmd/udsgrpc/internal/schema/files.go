package schema

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// registered knows files.
type registered struct{ files *protoregistry.Files }

func newRegistered(files *protoregistry.Files) *Schema {
	return newSchema(registered{files}, dynamicpb.NewTypes(files))
}

func (r registered) services() (names []protoreflect.FullName, err error) {
	r.files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			names = append(names, file.Services().Get(i).FullName())
		}
		return true
	})
	return names, nil
}

func (r registered) service(name protoreflect.FullName) (protoreflect.ServiceDescriptor, error) {
	found, err := r.files.FindDescriptorByName(name)
	if err != nil {
		return nil, err
	}
	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, protoregistry.NotFound)
	}
	return service, nil
}

// FromProto compiles .proto files. Imports are looked for in roots; without any, in the working directory and in
// those of the files.
func FromProto(ctx context.Context, paths, roots []string) (*Schema, error) {
	given := len(roots) > 0
	if !given {
		roots = []string{"."}
		for _, path := range paths {
			roots = append(roots, filepath.Dir(path))
		}
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		var err error
		if names[i], err = nameBelow(path, roots); err != nil {
			return nil, err
		}
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: roots})}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, err
	}
	files := new(protoregistry.Files)
	for _, file := range compiled {
		if err := register(files, file); err != nil {
			return nil, err
		}
	}
	return newRegistered(files), nil
}

// nameBelow returns the name that imports have for the file at path.
func nameBelow(path string, roots []string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(absolute); err != nil {
		return "", err
	}
	for _, root := range roots {
		from, err := filepath.Abs(root)
		if err != nil {
			return "", err
		}
		if name, err := filepath.Rel(from, absolute); err == nil && filepath.IsLocal(name) {
			return filepath.ToSlash(name), nil
		}
	}
	return "", fmt.Errorf("%s is below none of the directories %q", path, roots)
}

func register(files *protoregistry.Files, file protoreflect.FileDescriptor) error {
	if _, err := files.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	for i := range file.Imports().Len() {
		if err := register(files, file.Imports().Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	return files.RegisterFile(file)
}

// FromDescriptorSets reads files with a FileDescriptorSet each, as protoc --include_imports -o and buf build -o
// write them.
func FromDescriptorSets(paths []string) (*Schema, error) {
	all := new(descriptorpb.FileDescriptorSet)
	known := map[string]bool{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		set := new(descriptorpb.FileDescriptorSet)
		if err := proto.Unmarshal(content, set); err != nil {
			return nil, fmt.Errorf("%s is no FileDescriptorSet: %w", path, err)
		}
		for _, file := range set.GetFile() {
			if !known[file.GetName()] {
				known[file.GetName()] = true
				all.File = append(all.File, file)
			}
		}
	}
	files, err := protodesc.NewFiles(all)
	if err != nil {
		return nil, fmt.Errorf("the descriptors are incomplete (protoc needs --include_imports): %w", err)
	}
	if files.NumFiles() == 0 {
		return nil, errors.New("there are no descriptors in the files")
	}
	return newRegistered(files), nil
}
