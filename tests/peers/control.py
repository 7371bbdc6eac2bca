#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""control - a stand-in for belfryd's control socket: control.py SOCKET ANSWERS.json REQUESTS.log

ANSWERS.json is a list of {"when": {members of the request}, "answer": {...}}; the first whose members all match is
sent. Instead of "answer": "bytes" (hex, sent raw, then closed) or "close" (closed at once). Requests are logged, one
JSON object a line.
"""
import json
import os
import socket
import struct
import sys

MARK, CONTROL = 0xB1F1, 64


def read_exactly(peer, count):
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        if not more:
            return None
        data += more
    return data


def read_request(peer):
    header = read_exactly(peer, 8)
    if header is None:
        return None
    length, kind, mark = struct.unpack("<IHH", header)
    assert (kind, mark) == (CONTROL, MARK), header
    payload = read_exactly(peer, length)
    (text_length,) = struct.unpack("<I", payload[:4])
    assert text_length + 4 == length, (text_length, length)
    return json.loads(payload[4:])


def frame(answer):
    text = json.dumps(answer).encode()
    return struct.pack("<IHH", len(text) + 4, CONTROL, MARK) + struct.pack("<I", len(text)) + text


def serve(peer, answers, log):
    while (request := read_request(peer)) is not None:
        log.write(json.dumps(request, sort_keys=True) + "\n")
        log.flush()
        for entry in answers:
            if all(request.get(key) == value for key, value in entry["when"].items()):
                break
        else:
            entry = {"answer": {"ok": False, "code": "unknown-verb", "error": "no answer was prepared"}}
        if "close" in entry:
            return
        if "bytes" in entry:
            peer.sendall(bytes.fromhex(entry["bytes"]))
            return
        peer.sendall(frame(entry["answer"]))


def main():
    path, answers, log = sys.argv[1:4]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen(16)
    os.rename(path + ".new", path)  # whoever sees the name can connect
    with open(log, "w") as log:
        while True:
            peer, _ = listener.accept()
            with peer, open(answers) as file:
                serve(peer, json.load(file), log)


main()
