#!/usr/bin/env bash
# vscode-jsonrpc: a request whose connection is lost is never settled.
#
# Surprise: the end of the socket is noticed (onClose is called, and the next request throws "Connection is closed."),
# but the promises of requests that wait for an answer are neither resolved nor rejected, and await does not come back.
# Only dispose() rejects them.
# Who meets it: Node programs that talk JSON-RPC to a daemon over a Unix socket while the daemon restarts.
# Seen since: vscode-jsonrpc 10.0.0.
# Source: closeHandler of createMessageConnection in
# https://github.com/microsoft/vscode-languageserver-node/blob/main/jsonrpc/src/common/connection.ts
source "$(dirname "$0")/common.bash"

node_packages vscode-jsonrpc@10.0.0
cat >"$work/node/probe.js" <<'JS'
const net = require('net');
const rpc = require('vscode-jsonrpc/node');

const path = process.argv[2];
const server = net.createServer((peer) => peer.once('data', () => peer.destroy()));
server.listen(path, () => {
  const socket = net.connect(path, async () => {
    const connection = rpc.createMessageConnection(new rpc.SocketMessageReader(socket), new rpc.SocketMessageWriter(socket));
    connection.onError(([error]) => console.log('onError:', error.message));
    const closed = new Promise((resolve) => connection.onClose(resolve));
    connection.listen();
    const request = connection.sendRequest('wait').then(() => 'is answered', (error) => 'is rejected: ' + error.message);
    await closed;
    console.log('onClose was called');
    const pending = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds, `is pending after ${seconds} s`));
    console.log('the request', await Promise.race([request, pending(3)]));
    connection.dispose();
    console.log('after dispose() it', await Promise.race([request, pending(1)]));
    process.exit(0);
  });
});
JS
verdict 'the request is rejected when its connection is lost' '^the request is pending after 3 s$' \
	"$(node "$work/node/probe.js" "$work/s" 2>&1)"
