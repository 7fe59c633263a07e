#!/usr/bin/env bash
# buf breaking: the number of an extension may change, in every category, WIRE too.
#
# Surprise: the category WIRE is for what breaks the binary encoding, and a field whose number changes is reported
# as deleted. An extension that keeps its name and changes its number is not reported at all, not even by the rules of
# FILE, which see a change of its type and that one of another name was deleted. What was written with the old
# number is an unknown field afterwards: in messages, and in the options that plugins read.
# Who meets it: whoever has custom options of services and methods, and trusts CI to keep them readable.
# Seen since: buf 1.75.0.
# Source: https://buf.build/docs/breaking/rules/ speaks of deleted extensions and of ranges, not of numbers.
source "$(dirname "$0")/common.bash"
need go

mkdir "$work/old" "$work/new"
quietly env GOBIN="$work/bin" go install github.com/bufbuild/buf/cmd/buf@v1.75.0 || unavailable 'go install buf'
echo "versions: buf $("$work/bin/buf" --version), $(go env GOVERSION)"
cat >"$work/old/a.proto" <<'PROTO'
syntax = "proto2";

package finding;

message Call {
  optional string name = 1;
  extensions 100 to 200;
}

extend Call {
  optional string role = 100;
}
PROTO
sed 's/= 100;/= 101;/' "$work/old/a.proto" >"$work/new/a.proto" # the extension
echo 'version: v2' >"$work/old/buf.yaml"

# breaking prints what each category says of $work/new.
breaking() {
	local category report
	for category in FILE PACKAGE WIRE_JSON WIRE; do
		printf 'version: v2\nbreaking:\n  use: [%s]\n' "$category" >"$work/new/buf.yaml"
		report=$(cd "$work/new" && "$work/bin/buf" breaking --against "$work/old" 2>&1 || true)
		echo "$1, $category: ${report:-nothing is reported}"
	done
}

seen=$(
	breaking 'number of the extension'
	echo '{"name": "Get", "[finding.role]": "admin"}' >"$work/call.json"
	"$work/bin/buf" convert "$work/old" --type finding.Call --from "$work/call.json" --to "$work/call.binpb"
	echo "written with the old number, read with the new: $(
		"$work/bin/buf" convert "$work/new" --type finding.Call --from "$work/call.binpb" --to '-#format=json')"
	sed 's/name = 1;/name = 2;/' "$work/old/a.proto" >"$work/new/a.proto"
	breaking 'number of a field'
)
verdict 'the extension is reported at least by WIRE, as the field is' \
	'^number of the extension, WIRE: nothing is reported$' "$seen"
