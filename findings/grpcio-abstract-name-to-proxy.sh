#!/usr/bin/env bash
# grpcio (gRPC of C++, here from Python): a call to an abstract Unix socket is sent to the HTTP proxy.
#
# Surprise: with http_proxy set, a channel to unix:PATH connects directly, one to unix-abstract:NAME asks the
# proxy to CONNECT to the name. The call fails although the server is on the same machine, and the proxy
# learns the name. no_grpc_proxy or the channel argument grpc.enable_http_proxy=0 avoids it.
# Who meets it: clients of abstract sockets on machines whose environment names a proxy, as in many companies
# and in CI.
# Seen since: grpcio 1.85.3.
# Source: the mapper of HTTP proxies, which lets unix alone through:
# https://github.com/grpc/grpc/blob/master/src/core/handshaker/http_connect/http_proxy_mapper.cc
source "$(dirname "$0")/common.bash"
[ "$(uname -s)" = Linux ] || unavailable 'abstract sockets are of Linux'

python_packages grpcio==1.85.3
cat >"$work/probe.py" <<'PY'
import concurrent.futures, os, socket, sys, threading
import grpc

path = "unix:" + sys.argv[1]
abstract = "unix-abstract:finding-%d" % os.getpid()


class Echo(grpc.GenericRpcHandler):
    def service(self, call):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=(Echo(),))
server.add_insecure_port(path)
server.add_insecure_port(abstract)
server.start()

asked = []
proxy = socket.create_server(("127.0.0.1", 0))


def refuse():
    while True:
        conn, _ = proxy.accept()
        asked.append(conn.recv(1000).split(b"\r\n")[0].decode())
        conn.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        conn.close()


threading.Thread(target=refuse, daemon=True).start()


def call(target, environment):
    os.environ.pop("http_proxy", None)
    os.environ.update(environment)
    asked.clear()
    with grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            result = channel.unary_unary("/finding/Echo")(b"hello", timeout=5).decode()
        except grpc.RpcError as error:
            result = error.code().name
    kind = target.split(":")[0]
    print("%s, proxy set: %s: %s; the proxy was asked: %s" % (kind, bool(environment), result,
          asked[0].replace(str(os.getpid()), "PID") if asked else "nothing"))


set_proxy = {"http_proxy": "http://127.0.0.1:%d" % proxy.getsockname()[1]}
for target in path, abstract:
    call(target, {})
    call(target, set_proxy)
server.stop(0).wait()
PY
for variable in http_proxy https_proxy grpc_proxy no_proxy no_grpc_proxy; do unset "$variable" "${variable^^}"; done
verdict 'both sockets are of this machine: the proxy is asked nothing' \
	'^unix-abstract, proxy set: True: UNAVAILABLE; the proxy was asked: CONNECT' \
	"$("$work/venv/bin/python" "$work/probe.py" "$work/s" 2>/dev/null)"
