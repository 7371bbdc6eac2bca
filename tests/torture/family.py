#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""family.py KILLS [SEED] - kill -9 over a running family, at random moments; and, with strace, at the entry of the Nth
write, fdatasync, fsync and rename of the real daemon.

Checks change their state all the time, and a client holds and releases a breaker; what was answered with success is
noted. One kill in five hits a worker or the recorder, and the daemon must go on; all others hit the daemon, one in five of
them while it starts or recovers. Under every second daemon the disk takes writes in two parts (badisk.c), so that torn
tails come often. What must hold after each kill of the daemon, in the files as the kernel has them:
  - what was read there after the kill before is there still, byte for byte, so the recovery between them took nothing away;
    the bytes of a torn tail are kept in a file of their own
  - each record has the number after the one before; the record that status had called durable is there
  - the acknowledged commands are there, each once (one more may be there, which was killed before its answer)
and after each start: the daemon knows all these records, and holds the breaker as the last of them says. Every 40 kills,
and at the end, it is stopped well, and the journal, which is sealed, is verified with its key.
Exit status 0: nothing lost; 1: it says what. SIGINT ends it early, with the sum."""
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from daemon import belfry, connect, read_segment, remove, seal, segments, start  # noqa: E402

TOP = os.environ["top_builddir"]
WORK = tempfile.mkdtemp(prefix="belfry-family-")
DISK = {"LD_PRELOAD": TOP + "/tests/torture/.libs/badisk.so", "BADISK": WORK + "/disk",
        "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}
CHECKED_EVERY, FORGOTTEN_EVERY = 40, 200  # kills
NEXT = {"auto": "open", "open": "close", "closed": "auto"}  # a hold, and the command that is a change then
MEMBERS = ["belfryd", "belfry-worker", "belfry-recorder"]


def configure():
    names = ", ".join(f'"n{i}"' for i in range(20))
    os.mkdir(WORK + "/plugins")
    shutil.copy(TOP + "/plugins/.libs/file-age.so", WORK + "/plugins/")  # alone: it is described at each start
    with open(WORK + "/disk", "w") as out:
        out.write("write split 400\n")
    with open(WORK + "/belfry.conf", "w") as out:
        out.write(f'''state_dir = "{WORK}/var"; run_dir = "{WORK}/run"; plugin_dirs = [ "{WORK}/plugins" ];
journal: {{ reserve = "64KiB"; segment = "64KiB"; seal_every = "1s"; }};
defaults: {{ every = "100ms"; timeout = "100ms"; attempts = 1; retry_every = "100ms"; breaker = {{ failures = 100000; }}; }};
services: {{ files: {{ checks: {{ many: {{ plugin = "file-age"; path = "{WORK}/many"; each = {{ n = [ {names} ]; }}; }}; }}; }}; }};
''')


def toggle():
    if os.path.exists(WORK + "/many"):
        os.unlink(WORK + "/many")
    else:
        open(WORK + "/many", "w").close()


class Journal:
    """What was read of the files so far."""

    def __init__(self):
        self.segment, self.read, self.seq = None, b"", 0  # of the last segment: its number, and its finished lines
        self.held, self.hold = 0, "auto"  # commands, and what the last one says
        self.tail, self.tail_at = b"", ""  # torn: its bytes, and the name they are to be kept under

    def read_on(self):
        """What is wrong, or None."""
        paths = segments(WORK)
        numbers = [os.path.basename(path)[:20] for path in paths]
        if self.segment and self.segment not in numbers:
            return f"segment {self.segment} is gone"
        torn, torn_at = self.tail, self.tail_at
        for number, path in list(zip(numbers, paths))[numbers.index(self.segment) if self.segment else 0:]:
            trouble = self.read_lines(number, read_segment(path))
            if trouble:
                return trouble
        return self.lost_tail(torn, torn_at)

    def read_lines(self, number, text):
        before = self.read if number == self.segment else b""
        end = text.rfind(b"\n") + 1
        if text[:len(before)] != before:
            return f"segment {number} has no more what it had up to record {self.seq}"
        for line in text[len(before):end].splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                return f"what stands behind record {self.seq} is none: {line[:200]}"
            if record["seq"] != self.seq + 1:
                return f"record {record['seq']} stands behind {self.seq}"
            self.seq += 1
            if record["type"] == "breaker.held":
                self.held, self.hold = self.held + 1, record["name"]
        if end:
            self.segment, self.read = number, text[:end]
        self.tail, self.tail_at = text[end:], f"{number}.jsonl.torn-{end}"
        return None

    def lost_tail(self, torn, torn_at):
        if not torn or (torn, torn_at) == (self.tail, self.tail_at):
            return None  # none, or the daemon was killed before it could repair it
        kept = [name for name in os.listdir(WORK + "/var/journal") if name == torn_at or name.startswith(torn_at + ".")]
        return None if any(read_segment(f"{WORK}/var/journal/{name}") == torn for name in kept) else f"the torn bytes of {torn_at} are not kept"


class Oracle:
    def __init__(self):
        self.kills = dict.fromkeys(MEMBERS, 0)
        self.torn = self.commands = self.records = 0
        self.starts = []
        self.daemon = None
        self.forget()

    def forget(self):
        self.journal = Journal()
        self.durable = self.acked = 0  # what was acknowledged: a record's number, and commands since the files were read

    def meet(self, client):
        """What is wrong with what the daemon knows after its start, or None."""
        durable = client.ask(verb="status", service="files/many@n1")["daemon"]["journal"]["durable"]
        hold = next(b["hold"] for b in client.ask(verb="breaker", action="list")["breakers"] if b["name"] == "files/many@n1")
        self.hold = hold
        if durable < self.journal.seq:
            return f"{self.journal.seq} records were read, the daemon knows {durable}"
        return None if hold == self.journal.hold else f"the breaker is {hold}, the last record says {self.journal.hold}"

    def talk(self, client, until):
        """Commands and questions until the time is over."""
        while time.monotonic() < until:
            toggle()
            action = NEXT[self.hold]
            if client.ask(verb="breaker", action=action, name="files/many@n1")["ok"]:
                self.hold = {"close": "closed"}.get(action, action)
                self.acked += 1
                self.commands += 1
            self.durable = max(self.durable, client.ask(verb="status", service="files/many@n1")["daemon"]["journal"]["durable"])

    def look(self):
        """What is wrong with the files, or None."""
        journal, held, seq = self.journal, self.journal.held, self.journal.seq
        trouble = journal.read_on()
        if trouble:
            return trouble
        acked, self.acked = self.acked, 0
        self.torn += journal.tail != b""
        self.records += journal.seq - seq
        if self.durable > journal.seq:
            return f"record {self.durable} was acknowledged, the last one is {journal.seq}"
        if not acked <= journal.held - held <= acked + 1:
            return f"{acked} commands were acknowledged, {journal.held - held} are recorded"
        return None


class Lost(Exception):
    pass


def fail(what):
    raise Lost(what)


def launch(oracle, before=(), env=None):
    oracle.daemon = start(TOP, WORK, before, env)
    return oracle.daemon


def meet(oracle, daemon, where):
    """A client of the daemon that was just started, which must know all it has to."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        client = connect(WORK, daemon, end - time.monotonic())
        if not client:
            break
        try:
            trouble = oracle.meet(client)
        except OSError:  # it was the socket of the daemon before: a child that was only just forked had it open still
            continue
        return client if not trouble else fail(f"{where}: after the start {trouble}")
    return fail(f"{where}: it does not start")


def kill_member(daemon, oracle):
    """One of its children, if there is one."""
    try:
        with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children") as file:
            pid = int(random.choice(file.read().split()))
        with open(f"/proc/{pid}/cmdline") as file:
            name = os.path.basename(file.read().split("\0")[0])
        if name not in MEMBERS[1:]:  # only just forked
            return
        os.kill(pid, signal.SIGKILL)
        oracle.kills[name] += 1
    except (OSError, IndexError):  # it has none, or it is gone
        pass


def live(oracle, daemon, begin, where):
    """From the start to the moment before the kill."""
    if random.random() < 0.2:  # killed while it starts, or recovers
        time.sleep(random.random() * (statistics.median(oracle.starts[-20:]) if oracle.starts else 0.1))
        return
    client = meet(oracle, daemon, where)
    oracle.starts.append(time.monotonic() - begin)
    try:
        while random.random() < 0.24:
            oracle.talk(client, time.monotonic() + random.random() * 0.02)
            kill_member(daemon, oracle)
        oracle.talk(client, time.monotonic() + random.random() * 0.05)
        toggle()
        client.send(verb="breaker", action=NEXT[oracle.hold], name="files/many@n1")  # killed before it can answer, mostly
    except OSError as error:
        fail(f"{where}: nobody killed the daemon, and it is gone: {error}")
    time.sleep(random.random() * 0.002)


def kill_round(oracle, number):
    where = f"kill {sum(oracle.kills.values()) + 1}"
    daemon = launch(oracle, env=DISK if number % 2 else None)
    live(oracle, daemon, time.monotonic(), where)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    oracle.kills["belfryd"] += 1
    trouble = oracle.look()
    if trouble:
        fail(f"{where}: {trouble}")


def check(oracle, where):
    """What a crash has left is repaired by a start; then all is read from the first record on, and verified."""
    daemon = launch(oracle)
    meet(oracle, daemon, where)
    daemon.terminate()
    if daemon.wait() != 0:
        fail(f"{where}: it does not stop well")
    whole = Journal()
    trouble = oracle.look() or whole.read_on()
    if not trouble and (whole.seq, whole.held) != (oracle.journal.seq, oracle.journal.held):
        trouble = f"{oracle.journal.seq} records were there, {whole.seq} are"
    verify = belfry(TOP, WORK, "journal", "verify", "--key", WORK + "/key")
    if trouble or verify.returncode != 0:
        fail(f"{where}: {trouble or 'verify: ' + verify.stdout}")


def trace_round(oracle, call, number):
    """Whether the daemon was killed at the entry of that call."""
    daemon = launch(oracle, ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"])
    try:
        client = connect(WORK, daemon, 20)
        if client:
            oracle.meet(client)
            oracle.talk(client, time.monotonic() + 3)
    except OSError:
        pass
    ended = daemon.poll() is not None
    daemon.kill()
    daemon.wait()
    trouble = oracle.look()
    if trouble:
        fail(f"{call} {number}: {trouble}")
    check(oracle, f"{call} {number}")
    return ended


def forget(oracle):
    """A new journal, sealed from its first record on."""
    remove(WORK + "/var")
    oracle.forget()
    with open(WORK + "/key", "w") as out:
        out.write(seal(TOP, WORK) + "\n")


def tell(oracle, seed):
    k = oracle.kills
    print(f"family: {sum(k.values())} kills (seed {seed}): {', '.join(f'{k[m]} of {m}' for m in MEMBERS)}; {oracle.torn} torn tails, "
          f"{oracle.commands} commands acknowledged, {oracle.records} records, 0 lost, 0 repeated; "
          f"start to first answer {statistics.median(oracle.starts):.2f} s, slowest {max(oracle.starts):.2f} s", flush=True)


def kill_all(oracle, kills, seed):
    ended, number, done, told = [], 0, 0, 0
    signal.signal(signal.SIGINT, lambda *_: ended.append(True))
    checked = forgotten = 0
    while done < kills and not ended:
        number += 1
        kill_round(oracle, number)
        done = sum(oracle.kills.values())
        if done - checked >= CHECKED_EVERY:
            check(oracle, f"after kill {done}")
            checked = done
        if done - forgotten >= FORGOTTEN_EVERY:
            forget(oracle)
            forgotten = checked = done
        if done - told >= 200:
            tell(oracle, seed)
            told = done
    check(oracle, "at the end")
    tell(oracle, seed)
    if done >= 1000 and oracle.torn < done // 100:
        fail("too few torn tails: the run was blind")


def kill_at_calls(oracle, kills):
    points = 0
    for call, numbers in (("fdatasync", 12), ("fsync", 6), ("renameat", 3), ("write", 30)):
        for number in range(1, numbers + 1, max(1, 600 // max(kills, 20))):
            forget(oracle)
            points += trace_round(oracle, call, number)
    print(f"family: killed at the entry of {points} calls of the real daemon (strace), 0 lost")


def main():
    kills, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    random.seed(seed)
    configure()
    oracle = Oracle()
    try:
        forget(oracle)
        kill_all(oracle, kills, seed)
        if shutil.which("strace"):
            kill_at_calls(oracle, kills)
        else:
            print("family: SKIP: strace is not here, the daemon was not killed at single calls")
    except Lost as lost:
        print(f"family: {lost}; see {WORK}")
        return 1
    finally:
        if oracle.daemon:
            oracle.daemon.kill()
    remove(WORK)
    return 0


sys.exit(main())
