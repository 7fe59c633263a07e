#!/usr/bin/env bash
# nice-grpc: the target unix:/path is dialled as /path:80.
#
# Surprise: `unix:/path` is a target of gRPC's naming, and the channels of grpc-js, on which nice-grpc stands, take
# it; so does nice-grpc's own server.listen, for the same string. createChannel takes it for a host without a port
# and adds one, so that calls fail with ENOENT for a file whose name ends in `:80`. `unix:///path` works.
# Who meets it: TypeScript clients that get the address from a setting which all others understand.
# Seen since: nice-grpc 2.1.18. The comment of createChannel speaks of http and https only.
# Source: https://github.com/deeplay-io/nice-grpc/blob/master/packages/nice-grpc/src/client/channel.ts;
# https://github.com/grpc/grpc/blob/master/doc/naming.md
source "$(dirname "$0")/common.bash"

node_packages nice-grpc@2.1.18 @grpc/grpc-js@1.14.7
cat >"$work/node/probe.js" <<'JS'
const { createChannel, createClient, createServer } = require('nice-grpc');

const bytes = (message) => message;
const service = {
  echo: {
    path: '/finding/echo', requestStream: false, responseStream: false,
    requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes,
  },
};

async function main() {
  const [, , path] = process.argv;
  const server = createServer();
  server.add(service, { echo: async (request) => request });
  await server.listen('unix:' + path);
  for (const scheme of ['unix:', 'unix://']) {
    const client = createClient(service, createChannel(scheme + path));
    try {
      console.log(`${scheme}/path: ${await client.echo(Buffer.from('ok'))}`);
    } catch (error) {
      console.log(`${scheme}/path: ${error.message.replaceAll(path, '/path').trim()}`);
    }
  }
  process.exit(0);
}
main();
JS
verdict 'both forms reach the server, which listens on unix:/path' '^unix:/path: .*ENOENT /path:80' \
	"$(node "$work/node/probe.js" "$work/s" 2>&1)"
