#!/usr/bin/env bash
# grpc-js: a service with an rpc Close has clients that cannot be closed.
#
# Surprise: the methods of a service are put on the client under their names in the .proto file and with a small first
# letter, over the client's own. With an rpc Close, client.close() is that call: without arguments it throws, with a
# request it is sent, and the channel stays open. An rpc GetChannel or WaitForReady hides its namesake likewise. The
# functions of the base class still work: grpc.Client.prototype.close.call(client).
# Who meets it: Node programs whose daemon has a method to close something, as those of sessions and files have.
# Seen since: @grpc/grpc-js 1.14.7, @grpc/proto-loader 0.8.1.
# Source: makeClientConstructor in
# https://github.com/grpc/grpc-node/blob/master/packages/grpc-js/src/make-client.ts
source "$(dirname "$0")/common.bash"

node_packages @grpc/grpc-js@1.14.7 @grpc/proto-loader@0.8.1
cat >"$work/node/finding.proto" <<'PROTO'
syntax = "proto3";

package finding;

message Nothing {}

service Sessions {
  rpc Close(Nothing) returns (Nothing);
}
PROTO
cat >"$work/node/probe.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const { Sessions } = grpc.loadPackageDefinition(loader.loadSync(__dirname + '/finding.proto')).finding;
const target = 'unix:' + process.argv[2];
const server = new grpc.Server();
let calls = 0;
server.addService(Sessions.service, { Close: (call, answer) => { calls++; answer(null, {}); } });
server.bindAsync(target, grpc.ServerCredentials.createInsecure(), () => {
  const client = new Sessions(target, grpc.credentials.createInsecure());
  const state = () => grpc.connectivityState[grpc.Client.prototype.getChannel.call(client).getConnectivityState(false)];
  try {
    client.close();
    console.log('close() returns');
  } catch (error) {
    console.log('close() throws:', error.message);
  }
  client.close({}, (error) => {
    console.log(`close({}, callback): ${error ? error.message : 'answered'}, calls at the server: ${calls}, the channel is ${state()}`);
    process.exit(0);
  });
});
JS
verdict 'close() closes the channel' '^close\(\) throws: ' "$(node "$work/node/probe.js" "$work/s" 2>&1)"
