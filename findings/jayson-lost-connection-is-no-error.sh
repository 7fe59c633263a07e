#!/usr/bin/env bash
# jayson: a call whose connection is lost calls back without an error.
#
# Surprise: when the server ends the connection before it has answered, the callback of the tcp client, which also dials
# Unix sockets, gets undefined for the error and undefined for the answer, as after a notification. With a callback
# of three parameters (error, the answer's error, result) all three are undefined.
# Who meets it: Node programs that call a daemon on a Unix socket and look at the error to know that it was done.
# Seen since: jayson 5.0.0.
# Source: https://github.com/tedeh/jayson/blob/master/lib/client/tcp.js
source "$(dirname "$0")/common.bash"

node_packages jayson@5.0.0
cat >"$work/node/probe.js" <<'JS'
const net = require('net');
const jayson = require('jayson');

const path = process.argv[2];
const server = net.createServer((peer) => peer.once('data', () => peer.end()));
server.listen(path, () => {
  jayson.client.tcp({ path }).request('save', [1], (error, problem, result) => {
    console.log(`error ${error && error.message}, the answer's error ${problem}, result ${result}`);
    process.exit(0);
  });
});
JS
verdict 'the callback gets an error' "^error undefined, the answer's error undefined, result undefined\$" \
	"$(node "$work/node/probe.js" "$work/s" 2>&1)"
