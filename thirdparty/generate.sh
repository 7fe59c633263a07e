#!/bin/sh
# Generates gen/ with the plugin of this checkout, below the directory $1 if given:
#
#	sh generate.sh
#
# The .proto files come from the modules that go.mod requires, so they are of the same version as
# the stubs.
set -eu
cd "$(dirname "$0")"
out=${1:-.}

# run FILE STUBS INPUT: FILE is the path of the .proto file, STUBS the Go import path of its stubs;
# ";name" after it replaces a name that says little, such as v1. INPUT are buf's arguments for the file.
run() {
	options="'package_suffix=udsgrpc', 'M$1=$2', 'module=${2%;*}'"
	shift 2
	go tool -modfile=../tools/buf.mod buf generate "$@" --output "$out" --template "
version: v2
plugins:
  - local: [go, tool, protoc-gen-go-udsgrpc]
    out: gen
    opt: [$options]
"
}

# generate MODULE FILE STUBS, where FILE is a path in MODULE.
generate() {
	go mod download "$1" # a module not downloaded yet has no directory
	dir=$(go list -m -f '{{.Dir}}' "$1")
	run "$2" "$3" "$dir" --path "$dir/$2"
}

generate github.com/container-storage-interface/spec csi.proto \
	'github.com/container-storage-interface/spec/lib/go/csi'
generate k8s.io/kubelet pkg/apis/deviceplugin/v1beta1/api.proto \
	'k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1;deviceplugin'
generate k8s.io/cri-api pkg/apis/runtime/v1/api.proto \
	'k8s.io/cri-api/pkg/apis/runtime/v1;cri'
generate github.com/spiffe/go-spiffe/v2 proto/spiffe/workload/workload.proto \
	'github.com/spiffe/go-spiffe/v2/proto/spiffe/workload'

# Stubs of older generators.
generate k8s.io/kms apis/v2/api.proto \
	'k8s.io/kms/apis/v2;kms'
go run ./descriptors |
	run google/bytestream/bytestream.proto google.golang.org/genproto/googleapis/bytestream '-#format=binpb'
