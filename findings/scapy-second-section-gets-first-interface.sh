#!/usr/bin/env bash
# scapy: the packets of a pcapng file's second section are read with the first section's interfaces.
#
# Surprise: pcapng files may be joined with cat: each section numbers its interfaces from 0 again. Scapy goes on
# counting, so packet times of the second part are read with the first part's resolution, here a thousand
# times too late, and its link type is the first one's, so that the bytes are taken for another protocol.
# Wireshark reads the same file as its parts.
# Who meets it: whoever joins captures of a socket, in microseconds or with a link type of their own (147 to
# 162 are free for that), with those of dumpcap, in nanoseconds, and reads them in Python.
# Seen since: scapy 2.8.0.
# Source: https://pcapng.com (general file structure: sections and the scope of interface ids);
# RawPcapNgReader in https://github.com/secdev/scapy/blob/v2.8.0/scapy/utils.py
source "$(dirname "$0")/common.bash"

python_packages scapy==2.8.0
cat >"$work/probe.py" <<'PY'
import struct
import sys

from scapy.utils import RawPcapNgReader


def block(kind, body):
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def section(linktype, resolution, time):
    """A section with one interface and one packet; resolution is the power of ten of its times."""
    option = struct.pack("<HHB3xHH", 9, 1, resolution, 0, 0)  # if_tsresol, end of options
    data = b"four"
    return (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
            + block(1, struct.pack("<HHI", linktype, 0, 0) + option)
            + block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data), len(data)) + data))


parts = [section(1, 6, 1700000000 * 10**6), section(147, 9, 1700000001 * 10**9)]
for name, content in ("alone", parts[1]), ("after another", parts[0] + parts[1]):
    path = sys.argv[1] + "/capture.pcapng"
    with open(path, "wb") as file:
        file.write(content)
    packets = [(((meta.tshigh << 32) + meta.tslow) // meta.tsresol, meta.linktype) for _, meta in RawPcapNgReader(path)]
    print("the second part's packet, {}: second {}, link type {}".format(name, *packets[-1]))
PY
verdict 'second 1700000001 and link type 147 in both files' \
	"^the second part's packet, after another: second 1700000001000, link type 1\$" \
	"$("$work/venv/bin/python" "$work/probe.py" "$work" 2>/dev/null)"
