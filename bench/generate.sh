#!/bin/sh
# Generates gen/ from proto/: one set of stubs for each peer. protoc-gen-go and protoc-gen-go-grpc
# are those of ../tools; the plugins of the peers are of the versions that go.mod requires, so
# they fit what is measured.
set -eu
cd "$(dirname "$0")"

# The stubs of ttrpc would clash with those of gRPC, so they get a prefix.
go tool -modfile=../tools/buf.mod buf generate proto --template '
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
