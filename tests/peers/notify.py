#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""notify.py SOCKET LOG - stands in for systemd's notify socket: each datagram is one line of LOG, "SECONDS.MS TEXT"."""
import os
import socket
import sys
import time

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
listener.bind("\0" + name[1:] if name.startswith("@") else name)
with open(sys.argv[2], "a", encoding="utf-8") as log:
    log.write("%.3f LISTENING\n" % time.monotonic())
    log.flush()
    while True:
        text = listener.recv(4096).decode("utf-8", "replace").replace("\n", " ")
        log.write("%.3f %s\n" % (time.monotonic(), text))
        log.flush()
