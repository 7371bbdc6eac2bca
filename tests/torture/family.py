#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""family.py ROUNDS [SEED] - kill -9 over a running family, at random moments; and, with strace, at the entry of the Nth
write, fdatasync, fsync and rename of the real daemon.

Checks change their state all the time, and a client holds and releases a breaker; what was answered with success is
noted. After each kill the files are read as the kernel has them: every acknowledged command is there, and so is the
record that status had called durable. Every 20 rounds, and at the end, the journal, which is sealed, is verified with its
key and no number may be there twice. Exit status 0: nothing lost; 1: it says what."""
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.environ["top_builddir"]
WORK = tempfile.mkdtemp(prefix="belfry-family-")
CONTROL = WORK + "/run/control.sock"
KEY = WORK + "/key"


def configure():
    names = ", ".join(f'"n{i}"' for i in range(20))
    with open(WORK + "/belfry.conf", "w") as out:
        out.write(f'''state_dir = "{WORK}/var"; run_dir = "{WORK}/run"; plugin_dirs = [ "{TOP}/plugins/.libs" ];
journal: {{ reserve = "64KiB"; segment = "64KiB"; seal_every = "1s"; }};
defaults: {{ every = "100ms"; timeout = "100ms"; attempts = 1; retry_every = "100ms"; breaker = {{ failures = 100000; }}; }};
services: {{ files: {{ checks: {{ many: {{ plugin = "file-age"; path = "{WORK}/many"; each = {{ n = [ {names} ]; }}; }}; }}; }}; }};
''')


def belfry(*words):
    return subprocess.run([TOP + "/belfry", "-c", WORK + "/belfry.conf", *words], capture_output=True, text=True)


def start(before=()):
    log = open(WORK + "/log", "ab")
    return subprocess.Popen([*before, TOP + "/belfryd", "-c", WORK + "/belfry.conf"], stdout=log, stderr=log)


class Client:
    """A client as belfry is one, but it sends many requests over one connection, which is faster."""

    def __init__(self, deadline):
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(CONTROL)
                return
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)

    def ask(self, **request):
        text = json.dumps(request).encode()
        self.socket.sendall(struct.pack("<IHHI", len(text) + 4, 64, 0xB1F1, len(text)) + text)
        head = self.take(8)
        payload = self.take(struct.unpack("<I", head[:4])[0])
        return json.loads(payload[4:])

    def take(self, n):
        got = b""
        while len(got) < n:
            more = self.socket.recv(n - len(got))
            if not more:
                raise OSError("gone")
            got += more
        return got


def is_used(folder):
    """Whether a process has it in its command line: the recorder of a killed daemon goes on until it has written all."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if int(pid) != os.getpid() and (folder + "/").encode() in f.read():
                    return True
        except OSError:
            pass
    return False


def remove(folder):
    end = time.monotonic() + 60
    while is_used(folder) and time.monotonic() < end:
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def segments():
    folder = WORK + "/var/journal"
    names = {name[:20]: name for name in sorted(os.listdir(folder), reverse=True) if re.fullmatch(r"\d{20}\.jsonl(\.gz)?", name)}
    return [f"{folder}/{names[first]}" for first in sorted(names)]  # one that is there twice counts raw


def records(since):
    """Finished lines of the last segments, back to the number `since`."""
    found = []
    for path in reversed(segments()):
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        found = [json.loads(line) for line in lines] + found
        if found and found[0]["seq"] <= since:
            break
    return found


def toggle():
    if os.path.exists(WORK + "/many"):
        os.unlink(WORK + "/many")
    else:
        open(WORK + "/many", "w").close()


class Oracle:
    def __init__(self):
        self.forget()
        self.kills = self.torn = self.commands = 0
        self.slowest = 0.0

    def forget(self):
        self.durable, self.held = 0, 0  # what was acknowledged: a record's number, and how many commands
        self.turn = 0

    def talk(self, client, until):
        """Commands and questions until the time is over or the daemon is gone."""
        try:
            while time.monotonic() < until:
                toggle()
                action = ("open", "close", "auto")[self.turn % 3]
                if client.ask(verb="breaker", action=action, name="files/many@n1")["ok"]:
                    self.turn += 1  # so each is another than the last that was done: a change, and so a record
                    self.held += 1
                    self.commands += 1
                self.durable = max(self.durable, client.ask(verb="status", service="files/many@n1")["daemon"]["journal"]["durable"])
        except OSError:
            pass

    def look(self, whole):
        found = records(0 if whole else self.durable)
        numbers = [record["seq"] for record in found]
        if numbers != sorted(set(numbers)):
            return "a number is repeated"
        if self.durable > (numbers[-1] if numbers else 0):
            return f"record {self.durable} was acknowledged, the last one is {numbers[-1:]}"
        held = sum(record["type"] == "breaker.held" for record in records(0))
        if held < self.held:
            return f"{self.held} commands were acknowledged, {held} are recorded"
        if whole:
            verify = belfry("journal", "verify", "--key", KEY)
            if verify.returncode != 0:
                return "verify: " + verify.stdout
        return None

    def tail(self):
        names = segments()
        if names:
            with open(names[-1], "rb") as file:
                bytes_ = file.read()
            self.torn += not bytes_.endswith(b"\n")


def fail(what):
    print(f"family: {what}; see {WORK}")
    sys.exit(1)


def kill_round(oracle, number):
    daemon = start()
    begin = time.monotonic()
    if random.random() < 0.2:  # while it starts, or recovers
        time.sleep(random.random() * 0.1)
    else:
        client = Client(begin + 20)
        oracle.slowest = max(oracle.slowest, time.monotonic() - begin)
        oracle.talk(client, time.monotonic() + random.random() * 0.1)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    oracle.kills += 1
    oracle.tail()
    check(oracle, number % 20 == 0, f"kill {number}")


def check(oracle, whole, where):
    if whole:  # what a crash has left is repaired by the next start
        daemon = start()
        Client(time.monotonic() + 20).ask(verb="plugins")
        daemon.terminate()
        if daemon.wait() != 0:
            fail(f"{where}: it does not stop well")
    trouble = oracle.look(whole) if os.path.exists(WORK + "/var/journal") else None
    if trouble:
        fail(f"{where}: {trouble}")


def trace_round(oracle, call, number):
    """Whether the daemon was killed at the entry of that call."""
    daemon = start(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"])
    try:
        oracle.talk(Client(time.monotonic() + 5), time.monotonic() + 3)
    except OSError:
        pass
    ended = daemon.poll() is not None
    daemon.kill()
    daemon.wait()
    check(oracle, True, f"{call} {number}")
    return ended


def forget(oracle):
    """A new journal, sealed from its first record on."""
    remove(WORK + "/var")
    oracle.forget()
    key = re.search(r"0:[0-9a-f]{64}", belfry("journal", "seal", "--setup").stdout).group()
    with open(KEY, "w") as out:
        out.write(key + "\n")


def main():
    rounds, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    random.seed(seed)
    configure()
    oracle = Oracle()
    forget(oracle)
    for number in range(1, rounds + 1):
        kill_round(oracle, number)
        if number % 100 == 0:
            forget(oracle)
            print(f"  {number} kills of the family, {oracle.commands} commands acknowledged", file=sys.stderr, flush=True)
    check(oracle, True, "at the end")
    print(f"family: {oracle.kills} kills (seed {seed}), {oracle.torn} torn tails, {oracle.commands} commands acknowledged, "
          f"0 lost, 0 repeated, slowest start {oracle.slowest:.2f} s")
    points = 0
    if shutil.which("strace"):
        for call, numbers in (("fdatasync", 12), ("fsync", 6), ("renameat", 3), ("write", 30)):
            for number in range(1, numbers + 1, max(1, 600 // max(rounds, 20))):
                forget(oracle)
                points += trace_round(oracle, call, number)
        print(f"family: killed at the entry of {points} calls of the real daemon (strace), 0 lost")
    else:
        print("family: SKIP: strace is not here, the daemon was not killed at single calls")
    remove(WORK)


main()
