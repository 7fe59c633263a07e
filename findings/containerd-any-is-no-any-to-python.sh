#!/usr/bin/env bash
# containerd's typeurl and protobuf for Python: what the one packs the other refuses to unpack.
#
# Surprise: the Any of containerd's events, specs and options, made by typeurl, has a type_url without a slash. In
# Go it can be unpacked all the same. In Python Any.Unpack returns False and leaves the message empty, and Is says
# that it is not of that type; yet json_format prints the very same Any with its content. Who does not look at
# Unpack's result goes on with an empty message.
# Who meets it: Python clients of containerd's socket, and of daemons that use its packages.
# Seen since: typeurl 2.2.3, protobuf 7.36.2 for Python, protobuf-go 1.36.12.
# Source: Any.type_url in https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/any.proto wants
# at least one slash; MarshalAny in https://github.com/containerd/typeurl/blob/main/types.go
source "$(dirname "$0")/common.bash"

go_program github.com/containerd/typeurl/v2@v2.2.3 google.golang.org/protobuf@v1.36.12 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	packed, err := typeurl.MarshalAnyToProto(wrapperspb.String("content"))
	check(err)
	var unpacked wrapperspb.StringValue
	check((&anypb.Any{TypeUrl: packed.GetTypeUrl(), Value: packed.GetValue()}).UnmarshalTo(&unpacked))
	fmt.Printf("Go: type_url %q, unpacked %q\n", packed.GetTypeUrl(), unpacked.GetValue())
	encoded, err := proto.Marshal(packed)
	check(err)
	check(os.WriteFile(os.Args[1], encoded, 0o600))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
python_packages protobuf==7.36.2
cat >"$work/probe.py" <<'PY'
import sys

from google.protobuf import any_pb2, json_format, wrappers_pb2

packed = any_pb2.Any.FromString(open(sys.argv[1], "rb").read())
unpacked = wrappers_pb2.StringValue()
print(f"Python: Unpack returns {packed.Unpack(unpacked)}, content {unpacked.value!r}")
print("Python, as JSON:", json_format.MessageToDict(packed))
PY
verdict 'Python unpacks it as Go does' "^Python: Unpack returns False, content ''\$" \
	"$("$work/probe" "$work/any" 2>&1 && "$work/venv/bin/python" "$work/probe.py" "$work/any" 2>&1)"
