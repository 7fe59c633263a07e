package main

const usage = `protoc-gen-go-udsgrpc is a plugin for protoc and buf: it generates Go code that serves and dials
gRPC services over Unix domain sockets. It goes with protoc-gen-go and protoc-gen-go-grpc, and is
not meant to be run by hand.

With buf, in buf.gen.yaml:

  version: v2
  plugins:
    - local: protoc-gen-go
      out: gen
      opt: paths=source_relative
    - local: protoc-gen-go-grpc
      out: gen
      opt: paths=source_relative
    - local: protoc-gen-go-udsgrpc
      out: gen
      opt: paths=source_relative

With protoc:

  protoc --go_out=gen --go-grpc_out=gen --go-udsgrpc_out=gen \
    --go-udsgrpc_opt=package_suffix=udsgrpc greeter/v1/greeter.proto

Parameters (buf: opt; protoc: --go-udsgrpc_opt):

  paths=import|source_relative  Name directories after Go import paths (the default) or after
                                those of the .proto files.
  module=PREFIX                 Strip PREFIX from the names of directories.
  M<file>=PATH[;NAME]           The Go import path, and package name, of a .proto file.
  package_suffix=SUFFIX         Generate into a package of its own, which imports the other stubs
                                and is named like theirs with SUFFIX at the end. Without it the
                                code goes into their package.
  annotate_code[=true|false]    Also write a .meta file that links the generated code with the
                                .proto file.
  default_api_level=LEVEL       Accepted as protoc-gen-go does, and without effect here.
  apilevelM<file>=LEVEL         The same for one .proto file.

Rules (in the .proto file):

  A method can say who may call it, and a service who may call the others; the generated server
  holds callers to that. udsgrpc/v1/options.proto explains how.

    import "udsgrpc/v1/options.proto";
    ...
    option (udsgrpc.v1.service) = { allow: SAME_USER };         in a service
    option (udsgrpc.v1.method) = { allow: [SAME_USER, ROOT] };  in an rpc

Flags:

  -h, --help  Print this help.
  --version   Print the version.
`
