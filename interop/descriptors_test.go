package interop

import (
	"os"
	"path/filepath"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// descriptors writes a descriptor set of grpc's TestService, from which programs in other
// languages make their stubs, and returns its path.
func (c *cell) descriptors() string {
	c.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() { // a file comes after those that it imports
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(testgrpc.File_grpc_testing_test_proto)
	b, err := proto.Marshal(set)
	if err != nil {
		c.Fatalf("%v", err)
	}
	path := filepath.Join(dir(c), "testservice.binpb")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		c.Fatalf("%v", err)
	}
	return path
}
