#!/bin/sh
# Generates gen/ from proto/: of bench.proto one set of stubs for each peer, of files.proto those of
# udsgrpc, as no other peer carries open files. protoc-gen-go and protoc-gen-go-grpc are those of
# ../tools; the plugins of the peers are of the versions that go.mod requires, so they fit what is
# measured.
set -eu
cd "$(dirname "$0")"

# The stubs of ttrpc would clash with those of gRPC, so they get a prefix.
go tool -modfile=../tools/buf.mod buf generate proto --exclude-path proto/bench/v1/files.proto --template '
version: v2
clean: true
plugins:
  - local: [go, tool, -modfile=../tools/go.mod, protoc-gen-go]
    out: gen
    opt: paths=source_relative
  - local: [go, tool, -modfile=../tools/go.mod, protoc-gen-go-grpc]
    out: gen
    opt: paths=source_relative
  - local: [go, tool, protoc-gen-go-udsgrpc]
    out: gen
    opt: paths=source_relative
  - local: [go, tool, protoc-gen-go-ttrpc]
    out: gen
    opt: [paths=source_relative, prefix=TTRPC]
  - local: [go, tool, protoc-gen-go-drpc]
    out: gen
    opt: paths=source_relative
  - local: [go, tool, protoc-gen-connect-go]
    out: gen
    opt: paths=source_relative
'

# The file that it imports is in the module of udsgrpc, so this runs there.
cd ..
go tool -modfile=tools/buf.mod buf generate --path bench/proto/bench/v1/files.proto --config '
version: v2
modules:
  - path: proto
  - path: bench/proto
' --template '
version: v2
plugins:
  - local: [go, tool, -modfile=tools/go.mod, protoc-gen-go]
    out: bench/gen
    opt: paths=source_relative
  - local: [go, tool, -modfile=tools/go.mod, protoc-gen-go-grpc]
    out: bench/gen
    opt: paths=source_relative
  - local: [go, run, ./cmd/protoc-gen-go-udsgrpc]
    out: bench/gen
    opt: paths=source_relative
'
