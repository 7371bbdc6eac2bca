# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.py - what the campaigns share: to start belfryd in a folder of its own, to talk to it, to read its journal as the
kernel has it, and to take the folder away when nobody writes there any more.

A folder has belfry.conf, which says state_dir = FOLDER/var and run_dir = FOLDER/run, and a log."""
import gzip
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time


class Control:
    """A client of the control socket; it may ask many times."""

    def __init__(self, folder, timeout=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(folder + "/run/control.sock")
        except OSError:
            self.socket.close()
            raise

    def take(self, n):
        got = b""
        while len(got) < n:
            more = self.socket.recv(min(n - len(got), 1 << 20))
            if not more:
                raise ConnectionError("closed")
            got += more
        return got

    def send(self, **request):
        text = json.dumps(request).encode()
        self.socket.sendall(struct.pack("<IHHI", len(text) + 4, 64, 0xB1F1, len(text)) + text)

    def ask(self, **request):
        self.send(**request)
        length = struct.unpack("<IHH", self.take(8))[0]
        return json.loads(self.take(length)[4:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def start(build, folder, before=(), env=None):
    """belfryd, its lines behind those of earlier ones in the folder's log."""
    with open(folder + "/log", "ab") as log:
        return subprocess.Popen([*before, build + "/belfryd", "-c", folder + "/belfry.conf"], stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, env={**os.environ, **(env or {})})


def connect(folder, process, seconds, timeout=None):
    """A client, as soon as there is somebody; None when the time is over or the process has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            return Control(folder, timeout)
        except OSError:
            time.sleep(0.003)
    return None


def belfry(build, folder, *words):
    return subprocess.run([build + "/belfry", "-c", folder + "/belfry.conf", *words], capture_output=True, text=True)


def seal(build, folder):
    """Sets the seals up; the first key."""
    done = belfry(build, folder, "journal", "seal", "--setup")
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return re.search(r"[0-9]+:[0-9a-f]{64}", done.stdout).group()


def segments(folder):
    """The journal's, in order; one that is there twice counts raw."""
    place = folder + "/var/journal"
    names = sorted(os.listdir(place), reverse=True) if os.path.isdir(place) else []
    first = {name[:20]: name for name in names if re.fullmatch(r"\d{20}\.jsonl(\.gz)?", name)}
    return [f"{place}/{first[number]}" for number in sorted(first)]


def read_segment(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        return file.read()


def records(folder):
    """All that can be read."""
    found = []
    for path in segments(folder):
        for line in read_segment(path).split(b"\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
    return found


def is_used(folder):
    """Whether a process has it in its command line: the recorder of a killed daemon goes on until it has written all."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if int(pid) != os.getpid() and (folder + "/").encode() in file.read():
                    return True
        except OSError:
            pass
    return False


def remove(folder):
    end = time.monotonic() + 60
    while is_used(folder) and time.monotonic() < end:
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)
