#!/bin/sh
# Generates gen/ from proto/: one set of stubs for each system that a program comes from. The plugins are of
# the versions that go.mod requires.
set -eu
cd "$(dirname "$0")"

# The stubs of ttrpc would clash with those of gRPC, so they get a prefix.
go tool -modfile=../../tools/buf.mod buf generate proto --template '
version: v2
clean: true
plugins:
  - local: [go, tool, -modfile=../../tools/go.mod, protoc-gen-go]
    out: gen
    opt: paths=source_relative
  - local: [go, tool, -modfile=../../tools/go.mod, protoc-gen-go-grpc]
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

# The same service for varlink. Its generator writes beside its input.
mkdir -p gen/orgexamplenotes
cp proto/varlink/org.example.notes.varlink gen/orgexamplenotes/
go tool varlink-go-interface-generator gen/orgexamplenotes/org.example.notes.varlink
rm gen/orgexamplenotes/org.example.notes.varlink
gofmt -w gen/orgexamplenotes
