#!/usr/bin/env bash
# systemd-socket-activate: it takes the path of a server that is alive, without a word.
#
# Surprise: started with -l PATH where a server listens, it does not fail with "address already in use". It
# removes the live server's socket file and binds its own; the old server keeps running, unreachable, and
# is told nothing. bind itself refuses, for live and stale files alike.
# Who meets it: whoever tries a service by hand with systemd-socket-activate while the real one is running.
# Seen since: systemd 252.
# Source: socket_address_listen, which unlinks and binds again after EADDRINUSE:
# https://github.com/systemd/systemd/blob/main/src/shared/socket-label.c
source "$(dirname "$0")/common.bash"
need systemd-socket-activate python3

echo "versions: $(systemd-socket-activate --version | head -n 1), Linux $(uname -r)"
cat >"$work/server.py" <<'PY'
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
open(sys.argv[1] + ".ready", "w").close()
while True:
    conn, _ = server.accept()
    conn.sendall(b"the live server")
    conn.close()
PY
cat >"$work/ask.py" <<'PY'
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(1)
client.connect(sys.argv[1])
try:
    print(client.recv(100).decode())
except TimeoutError:
    print("nobody within 1 s")
PY
python3 "$work/server.py" "$work/s" &
children+=($!)
for _ in $(seq 100); do [ -e "$work/s.ready" ] && break; sleep 0.1; done
before=$(python3 "$work/ask.py" "$work/s")
# It is given a program that never accepts, so that only the live server could answer.
systemd-socket-activate -l "$work/s" sleep 30 2>"$work/log" &
children+=($!)
for _ in $(seq 100); do grep -q 'Listening on\|[Ff]ailed' "$work/log" && break; sleep 0.1; done
after=$(python3 "$work/ask.py" "$work/s")
verdict 'systemd-socket-activate fails, and the live server answers still' '^after: nobody' \
	"before: $before
systemd-socket-activate says: $(sed "s|$work|DIR|" "$work/log" | head -n 1)
the first server runs: $(kill -0 "${children[0]}" && echo yes)
after: $after"
