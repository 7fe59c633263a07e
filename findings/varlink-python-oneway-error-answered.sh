#!/usr/bin/env bash
# varlink for Python: the error of a oneway call is the answer of the next call.
#
# Surprise: a oneway call has no answer, and the server keeps to that when the method returns. When it raises an
# error, the server sends it all the same, and the client, which waits for no answer, reads it as that of the next call.
# Every call after that gets the answer of the one before.
# Who meets it: clients that send with _oneway and go on with calls on the same connection.
# Seen since: varlink 31.0.0 for Python.
# Source: Service.handle in https://github.com/varlink/python/blob/master/varlink/server.py;
# https://varlink.org/Method-Call (oneway)
source "$(dirname "$0")/common.bash"

python_packages varlink==31.0.0
cat >"$work/org.example.log.varlink" <<'VARLINK'
interface org.example.log
method Write(line: string) -> (line: string)
error Full (line: string)
VARLINK
cat >"$work/probe.py" <<'PY'
import os
import sys
import threading

import varlink

directory = sys.argv[1]
address = "unix:" + directory + "/s"
service = varlink.Service(vendor="Example", product="Log", version="1", url="https://example.org", interface_dir=directory)


@service.interface("org.example.log")
class Log:
    def Write(self, line):
        if line == "too much":
            raise varlink.VarlinkError({"error": "org.example.log.Full", "parameters": {"line": line}})
        return {"line": line}


class Handler(varlink.RequestHandler):
    service = service


server = varlink.ThreadingServer(address, Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with varlink.Client.new_with_address(address) as client, client.open("org.example.log") as log:
    for line, oneway in (("fits", True), ("second", False), ("too much", True), ("third", False), ("fourth", False)):
        try:
            print(f"{line}{', oneway' if oneway else ''}: {log.Write(line, _oneway=oneway)}")
        except varlink.VarlinkError as error:
            print(f"{line}: fails with {error.error()} of {error.parameters()}")
sys.stdout.flush()
os._exit(0)
PY
verdict 'the call "third" returns its own line' '^third: fails with org\.example\.log\.Full of .*too much' \
	"$(timeout 30 "$work/venv/bin/python" "$work/probe.py" "$work" 2>&1)"
