#!/usr/bin/env bash
# @grpc/reflection (grpc-js): the descriptors that a server shows have lost their imports.
#
# Surprise: a file that imports another, be it only google/protobuf/timestamp.proto, is shown without the import,
# so that a client cannot build it: grpcurl 1.9.4 says that the type is not found, and neither describes nor
# calls the service, though it can list it. Fields that are optional in proto3 are shown as
# not optional, and my_name as myName unless keepCase was given. The server's own calls work.
# Who meets it: whoever looks into a Node service behind a Unix socket with grpcurl or buf curl.
# Seen since: @grpc/reflection 1.0.4 with @grpc/proto-loader 0.8.1 and protobufjs 7.6.6; also with 0.7.15 and
# 7.4.0.
# Source: https://github.com/grpc/grpc-node/tree/master/packages/grpc-reflection does not speak of it; the
# descriptors are made by https://github.com/protobufjs/protobuf.js/blob/master/ext/descriptor/index.js
source "$(dirname "$0")/common.bash"

node_packages @grpc/reflection@1.0.4 @grpc/proto-loader@0.8.1 @grpc/grpc-js@1.14.7 protobufjs@7.6.6
cat >"$work/finding.proto" <<'PROTO'
syntax = "proto3";

package finding;

import "google/protobuf/timestamp.proto";

message Event {
  google.protobuf.Timestamp at = 1;
  optional int32 count = 2;
}

service Log {
  rpc Add(Event) returns (Event);
}
PROTO
cat >"$work/node/probe.js" <<'JS'
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { ReflectionService } = require('@grpc/reflection');
const { FileDescriptorProto } = require('protobufjs/ext/descriptor');

const [, , directory] = process.argv;
const target = 'unix:' + path.join(directory, 's');
const definition = loader.loadSync('finding.proto', { includeDirs: [directory], keepCase: true });
const server = new grpc.Server();
server.addService(grpc.loadPackageDefinition(definition).finding.Log.service, { Add: (call, reply) => reply(null, call.request) });
new ReflectionService(definition).addToServer(server);

const own = path.dirname(require.resolve('@grpc/reflection/package.json'));
const { v1 } = grpc.loadPackageDefinition(loader.loadSync(
  path.join(own, 'build/proto/grpc/reflection/v1/reflection.proto'))).grpc.reflection;

server.bindAsync(target, grpc.ServerCredentials.createInsecure(), (failure) => {
  if (failure) throw failure;
  const client = new v1.ServerReflection(target, grpc.credentials.createInsecure());
  const stream = client.ServerReflectionInfo({ deadline: Date.now() + 10000 });
  let answered = false; // the stream's end by forceShutdown is no error
  stream.on('data', (answer) => {
    answered = true;
    for (const bytes of answer.fileDescriptorResponse.fileDescriptorProto) {
      const file = FileDescriptorProto.decode(bytes);
      console.log(`file ${file.name}, imports ${JSON.stringify(file.dependency)}`);
      for (const field of file.messageType[0].field) {
        console.log(`    field ${field.name}, type "${field.typeName}", proto3 optional ${field.proto3Optional}`);
      }
    }
    client.close();
    server.forceShutdown();
  });
  stream.on('error', (error) => { if (!answered) console.log(error.message); });
  stream.write({ fileContainingSymbol: 'finding.Log' });
});
JS
verdict 'finding.proto imports google/protobuf/timestamp.proto, and count is optional' \
	'^file finding.proto, imports \[\]$' "$(timeout 60 node "$work/node/probe.js" "$work" 2>&1)"
