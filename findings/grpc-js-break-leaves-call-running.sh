#!/usr/bin/env bash
# grpc-js: leaving `for await` over a stream does not end the call.
#
# Surprise: a call of a server stream is a Readable, so it can be read with `for await`. Break or throw in the loop
# destroys the Readable, as Node's documentation says, but nobody cancels the call: the server goes on with it
# until its writes no longer fit, and keeps it as long as the connection lives. call.cancel() is what ends it.
# @protobuf-ts/grpc-transport 2.11.1 and connect-node 2.1.2 do the same, and there an AbortSignal ends it;
# nice-grpc 2.1.18 cancels.
# Who meets it: Node programs that wait for one event of a daemon and go: each leaves a stream in the daemon, which
# has no deadline and whose client, the same process, is alive.
# Seen since: @grpc/grpc-js 1.14.7, node 20.20.2.
# Source: ClientReadableStreamImpl, without a _destroy, in
# https://github.com/grpc/grpc-node/blob/@grpc/grpc-js@1.14.7/packages/grpc-js/src/call.ts;
# https://nodejs.org/docs/latest-v20.x/api/stream.html#readablesymbolasynciterator
source "$(dirname "$0")/common.bash"

node_packages @grpc/grpc-js@1.14.7
cat >"$work/node/probe.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const { setTimeout: pause } = require('node:timers/promises');

const bytes = (message) => message;
const service = {
  events: {
    path: '/finding/events', requestStream: false, responseStream: true,
    requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes,
  },
};
const running = new Set();
const server = new grpc.Server();
server.addService(service, {
  events(call) {
    running.add(call);
    call.on('cancelled', () => running.delete(call));
    call.write(Buffer.from('event'));
  },
});

async function main() {
  const target = 'unix:' + process.argv[2];
  await new Promise((resolve, reject) => server.bindAsync(target, grpc.ServerCredentials.createInsecure(),
    (error) => (error ? reject(error) : resolve())));
  const client = new (grpc.makeGenericClientConstructor(service, 'finding'))(target, grpc.credentials.createInsecure());
  const first = async () => {
    const call = client.events(Buffer.alloc(0));
    call.on('error', () => {}); // destroying it says that it was aborted
    for await (const event of call) break;
    return call;
  };
  const calls = [await first(), await first(), await first()];
  await pause(2000);
  console.log(`three loops were left, streams destroyed: ${calls.filter((call) => call.destroyed).length}, ` +
    `calls that run in the server: ${running.size}`);
  calls.forEach((call) => call.cancel());
  for (let i = 0; running.size > 0 && i < 100; i++) await pause(50);
  console.log(`after call.cancel() of each: ${running.size}`);
  process.exit(0);
}
main();
JS
verdict 'no call runs in the server once the loops are left' \
	'^three loops were left, streams destroyed: 3, calls that run in the server: 3$' \
	"$(node "$work/node/probe.js" "$work/s" 2>&1)"
