// Descriptors prints the .proto file of google.bytestream, without comments, as a FileDescriptorSet, which buf
// reads. genproto publishes the stubs alone; they have the descriptors of their file, as all stubs do.
package main

import (
	"log"
	"os"

	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(bytestream.File_google_bytestream_bytestream_proto),
	}}
	encoded, err := proto.Marshal(set)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(encoded); err != nil {
		log.Fatal(err)
	}
}
