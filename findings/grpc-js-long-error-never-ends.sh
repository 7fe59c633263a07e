#!/usr/bin/env bash
# @grpc/grpc-js: a call that fails with a long text is never told so, and waits for ever.
#
# Surprise: a server answers with a status whose text has 100,000 bytes, as one that puts a stack or the output of a
# command into it may. The caller gets neither that status nor another: its callback is not called, unless it
# has set a deadline, whose end is then all that it learns. With 70,000 bytes it is told.
# Who meets it: clients of daemons on Unix sockets, which call without a deadline more often than others do. Servers
# in other languages send such texts, too.
# Seen since: @grpc/grpc-js 1.14.7 with node 20.20.2.
# Source: Node's documentation of maxHeaderListSize, 65535 by default, does not say what becomes of more:
# https://nodejs.org/docs/latest-v20.x/api/http2.html
source "$(dirname "$0")/common.bash"

node_packages @grpc/grpc-js@1.14.7
cat >"$work/node/probe.js" <<'JS'
const grpc = require('@grpc/grpc-js');

const same = (bytes) => bytes;
const method = {
  path: '/finding/Fail',
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};
const fail = (call, done) => done({ code: grpc.status.ABORTED, details: 'x'.repeat(Number(call.request)) });

const server = new grpc.Server();
server.addService({ fail: method }, { fail });
const target = 'unix:' + process.argv[2];
const patience = 10_000;

server.bindAsync(target, grpc.ServerCredentials.createInsecure(), async () => {
  const client = new grpc.Client(target, grpc.credentials.createInsecure());
  const call = (size, options) =>
    new Promise((resolve) => {
      const waited = setTimeout(resolve, patience, `nothing in ${patience} ms`);
      client.makeUnaryRequest(method.path, same, same, Buffer.from(String(size)), options, (error) => {
        clearTimeout(waited);
        resolve(`${grpc.status[error.code]}, text of ${error.details.length} bytes`);
      });
    });
  for (const size of [1000, 70_000, 100_000]) console.log(`error of ${size} bytes: ${await call(size, {})}`);
  const hurried = await call(100_000, { deadline: Date.now() + 2000 });
  console.log(`error of 100000 bytes, deadline of 2000 ms: ${hurried}`);
  process.exit();
});
JS
verdict 'each call is told ABORTED, or that the text is too long' \
	'^error of 100000 bytes: nothing in 10000 ms$' \
	"$(node "$work/node/probe.js" "$work/s")"
