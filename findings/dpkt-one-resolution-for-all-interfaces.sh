#!/usr/bin/env bash
# dpkt: all packets of a pcapng file get the time resolution of its first interface.
#
# Surprise: a file with two interfaces, of which one counts microseconds and the other nanoseconds, is read without
# an error, and the times of the second interface's packets are a thousand times too late. Which interface a packet
# came from is not told either. With if_tsoffset it is the same: the first one's counts for all.
# Who meets it: whoever reads in Python what mergecap made of a capture of a socket and one of a network.
# Seen since: dpkt 1.9.8.
# Source: the Reader, which keeps the first interface block only, in
# https://github.com/kbandla/dpkt/blob/v1.9.8/dpkt/pcapng.py; https://pcapng.com (interface description block)
source "$(dirname "$0")/common.bash"

python_packages dpkt==1.9.8
cat >"$work/probe.py" <<'PY'
import io
import struct

import dpkt


def block(kind, body):
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def interface(resolution):
    return block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHB3xHH", 9, 1, resolution, 0, 0))


def packet(number, time):
    data = b"four"
    return block(6, struct.pack("<IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), len(data)) + data)


capture = (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + interface(6) + interface(9)
           + packet(0, 1700000000 * 10**6) + packet(1, 1700000001 * 10**9))
for number, (time, _) in enumerate(dpkt.pcapng.Reader(io.BytesIO(capture))):
    print(f"packet of interface {number}: second {time:.0f}")
PY
verdict 'packet of interface 1: second 1700000001' '^packet of interface 1: second 1700000001000$' \
	"$("$work/venv/bin/python" "$work/probe.py" 2>&1)"
