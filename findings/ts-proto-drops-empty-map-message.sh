#!/usr/bin/env bash
# ts-proto: an entry of a map whose value is an empty message, as Rust's prost encodes it, vanishes.
#
# Surprise: prost leaves out what is a default, also the key and the value of a map's entry, which every decoder
# has to take for the default. The code of ts-proto drops an entry without a value if values are messages:
# the key is not in the map. Google's library and protobuf-es, on the same bytes, have it.
# Who meets it: TypeScript clients of tonic servers: a set of names, as map<string, Empty>, arrives empty.
# Seen since: ts-proto 2.18.0, prost 0.14.1.
# Source: https://protobuf.dev/programming-guides/encoding/#maps; https://github.com/stephenh/ts-proto (the decode
# of maps writes the entry only if its value is not undefined)
source "$(dirname "$0")/common.bash"

need cargo
node_packages ts-proto@2.18.0 @bufbuild/protobuf@2.17.0 @bufbuild/protoc-gen-es@2.13.0 tsx@4.20.6
python_packages grpcio-tools==1.85.1 # for its protoc
mkdir "$work/node/gen"
cat >"$work/finding.proto" <<'PROTO'
syntax = "proto3";

package finding;

message Label {
  string text = 1;
}

message Labels {
  map<string, Label> by_name = 1;
}
PROTO
quietly "$work/venv/bin/python" -m grpc_tools.protoc -I"$work" \
	--plugin="$work/node/node_modules/.bin/protoc-gen-ts_proto" --ts_proto_out="$work/node/gen" \
	--plugin="$work/node/node_modules/.bin/protoc-gen-es" --es_out="$work/node/gen" --es_opt=target=js finding.proto ||
	unavailable 'the code cannot be generated'

mkdir -p "$work/rust/src"
cat >"$work/rust/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.1.0"
edition = "2021"

[dependencies]
prost = "=0.14.1"
TOML
cat >"$work/rust/src/main.rs" <<'RS'
use prost::Message;
use std::collections::HashMap;

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Labels {
    #[prost(map = "string, message", tag = "1")]
    by_name: HashMap<String, Label>,
}

fn main() {
    let labels = Labels { by_name: HashMap::from([("disk".to_string(), Label::default())]) };
    for byte in labels.encode_to_vec() {
        print!("{byte:02x}");
    }
}
RS
quietly cargo build --quiet --manifest-path "$work/rust/Cargo.toml" || unavailable 'prost 0.14.1 does not build'
bytes=$("$work/rust/target/debug/probe")
cat >"$work/node/probe.mjs" <<'JS'
import { fromBinary } from '@bufbuild/protobuf';
import { LabelsSchema } from './gen/finding_pb.js';
import { Labels } from './gen/finding.ts';

const bytes = Buffer.from(process.argv[2], 'hex');
console.log(`prost wrote ${process.argv[2]}`);
console.log('protobuf-es reads the names', JSON.stringify(Object.keys(fromBinary(LabelsSchema, bytes).byName)));
console.log('ts-proto reads the names', JSON.stringify(Object.keys(Labels.decode(bytes).byName)));
JS
verdict 'both read the name "disk"' '^ts-proto reads the names \[\]$' \
	"$(cd "$work/node" && timeout 60 npx tsx probe.mjs "$bytes" 2>&1)"
