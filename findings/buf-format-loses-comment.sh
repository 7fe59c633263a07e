#!/usr/bin/env bash
# buf format: a comment in front of a comma in a message literal is removed.
#
# Surprise: buf format keeps comments in nearly a hundred places where they may stand, but not the one after a
# value and before its comma in an option's message literal. It goes without a warning, with -w from the
# file too. After the comma, or without one, it stays.
# Who meets it: whoever notes something beside a value of a custom option and formats on save.
# Seen since: buf 1.75.0.
# Source: https://github.com/bufbuild/buf/blob/v1.75.0/private/buf/bufformat/bufformat.go, which prints with
# https://github.com/bufbuild/protocompile/tree/main/experimental/ast/printer
source "$(dirname "$0")/common.bash"
need go

mkdir "$work/module"
quietly env GOBIN="$work/bin" go install github.com/bufbuild/buf/cmd/buf@v1.75.0 || unavailable 'go install buf'
echo "versions: buf $("$work/bin/buf" --version), $(go env GOVERSION)"
echo 'version: v2' >"$work/module/buf.yaml"
cat >"$work/module/a.proto" <<'PROTO'
syntax = "proto3";

package finding;

import "google/protobuf/descriptor.proto";

message Limits {
  uint32 calls = 1;
  uint32 bytes = 2;
}

extend google.protobuf.ServiceOptions {
  Limits limits = 50001;
}

service S {
  option (limits) = {
    calls: 100 /* measured in spring */,
    bytes: 200, /* a guess */
  };
}
PROTO
cd "$work/module"
quietly "$work/bin/buf" build || unavailable 'buf build'
verdict 'both comments are in the formatted file' \
	'^comments of 2 that are left: 1$' \
	"$("$work/bin/buf" format a.proto | sed -n '/^service/,$p')
comments of 2 that are left: $("$work/bin/buf" format a.proto | grep -c '/\*' || true)"
