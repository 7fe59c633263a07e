#!/usr/bin/env bash
# betterproto2: a negative duration under a second becomes a positive one.
#
# Surprise: a message with google.protobuf.Duration of -0.5s, made by Google's library, is 0.5s when it was
# decoded and encoded again, without an error. -1.5s becomes bytes that Google's library refuses to print,
# as the signs of seconds and nanoseconds differ.
# Who meets it: whoever sets a Python program with these stubs between others, as a gateway of a local socket
# or as one that keeps messages: clock offsets and time that is left are negative at times.
# Seen since: betterproto2 0.10.0.
# Source: Duration.to_wrapped and from_wrapped of the code that betterproto2_compiler writes;
# https://protobuf.dev/reference/protobuf/google.protobuf/#duration says that both signs are the same
source "$(dirname "$0")/common.bash"

python_packages betterproto2==0.10.0 betterproto2_compiler==0.10.1 grpcio-tools==1.85.1 protobuf==7.36.2
python="$work/venv/bin/python"
mkdir "$work/google" "$work/better"
cat >"$work/finding.proto" <<'PROTO'
syntax = "proto3";

package finding;

import "google/protobuf/duration.proto";

message Wait {
  google.protobuf.Duration left = 1;
}
PROTO
for out in python_out="$work/google" python_betterproto2_out="$work/better"; do
	PATH="$work/venv/bin:$PATH" quietly "$python" -m grpc_tools.protoc -I"$work" --"$out" finding.proto ||
		unavailable "the code cannot be generated with $out"
done
cat >"$work/probe.py" <<'PY'
import sys

sys.path += [sys.argv[1] + "/google", sys.argv[1]]
import finding_pb2
from better.finding import Wait
from google.protobuf import json_format

for left in "-0.500s", "-1.500s", "1.500s":
    sent = json_format.Parse('{"left": "%s"}' % left, finding_pb2.Wait())
    passed = Wait.parse(sent.SerializeToString())
    received = finding_pb2.Wait.FromString(bytes(passed))
    print(f"{left} is {passed.left} in betterproto2, and then seconds {received.left.seconds}, nanos {received.left.nanos}")
PY
verdict '-0.500s is seconds 0, nanos -500000000 at the end, too' \
	'^-0.500s is .* and then seconds 0, nanos 500000000$' "$("$python" "$work/probe.py" "$work" 2>&1)"
