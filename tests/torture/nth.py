#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""nth.py - lets the Nth call of one kind fail in one process of a real family, for N = 1, 2, 3 ... until it is not made.

    nth.py [--calls open,write,...] [--members belfryd,belfry-worker,...] [--seconds S] [--first N] [--step N] [--forever]

Each round starts belfryd on a copy of a state folder with a sealed journal whose last segment is almost full and ends in a
torn record, so that recovery, sealing and rotation are on the way; runs a check, holds breakers, reloads, and stops it.
What must hold after each round:
  - no process of the family is ended by a signal that it raised itself, and none hangs
  - belfryd that ends by itself says why
  - the journal verifies, and every command that was answered with success is in it
  - a family without faults starts on what is left, and the breakers are held as the last answer said
With an AddressSanitizer build, leaks and errors of belfryd fail the round too (its allocator can't be made to fail).

libuv ends a process by abort() where the kernel refuses what it takes for granted (epoll_ctl, a read of its own eventfd);
libconfig and libcrypto write to NULL when they get no memory; libseccomp then gives some back twice, or leaves half of its filter out, so
that a process can't even exit. A death by such a signal after a call that one of them made is counted apart ('by libraries'), and must
lose nothing either.

Prints a line for each failed round and for each kind of call; the last line is the sum."""
import argparse
import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from daemon import belfry, connect, records, remove, seal, segments, start  # noqa: E402

ERRORS = {
    "open": ["EMFILE", "EIO"], "read": ["EIO", "EINTR", "EAGAIN"], "write": ["ENOSPC", "EIO", "EINTR", "EAGAIN"],
    "fdatasync": ["EIO", "ENOSPC", "EINTR"], "rename": ["EIO", "ENOSPC"], "mmap": ["ENOMEM"], "socket": ["EMFILE", "ENOMEM"],
    "accept": ["EMFILE", "ENOMEM", "EINTR"], "fork": ["EAGAIN", "ENOMEM"], "epoll_ctl": ["ENOMEM", "ENOSPC"], "malloc": ["ENOMEM"],
}
LIBRARIES = {"libuv.so": ["SIGABRT"], "libconfig.so": ["SIGSEGV"], "libcrypto.so": ["SIGSEGV"], "libseccomp.so": ["SIGABRT", "SIGSEGV"]}
MEMBERS = ["belfryd", "belfry-worker", "belfry-recorder"]
CONF = """state_dir = "{0}/var"; run_dir = "{0}/run"; plugin_dirs = [ "{0}/plugins" ];
journal: {{ segment = "64KiB"; }};
defaults: {{ every = "300ms"; timeout = "250ms"; attempts = 2; retry_every = "200ms"; }};
breakers: {{ one: {{ failures = 3; }}; two: {{ failures = 3; }}; }};
services: {{ files: {{ checks: {{
  here: {{ plugin = "file-age"; path = "{0}/belfry.conf"; breaker = "one"; }};
  gone: {{ plugin = "file-age"; path = "{0}/none"; breaker = "two"; }};
  calm: {{ plugin = "file-age"; path = "{0}/belfry.conf"; every = "1h"; }};
}}; }}; }};
"""


class Family:
    """belfryd in a folder of its own, and what it answered."""

    def __init__(self, folder, build, env=None):
        self.folder, self.acks = folder, []
        self.log_begin = os.path.getsize(folder + "/log") if os.path.exists(folder + "/log") else 0
        self.process = start(build, folder, env=env)

    def connect(self, seconds):
        return connect(self.folder, self.process, seconds, timeout=3)

    def held(self, control, action, name):
        """Holds a breaker; remembers what was answered with success."""
        if control.ask(verb="breaker", action=action, name=name).get("ok"):
            self.acks.append((name, action))

    def work(self, rounds=3):
        """Whatever happens to single requests, the next one is tried on a new connection."""
        control = self.connect(10)
        for action in ["open", "auto", "close"] * rounds:
            for name in ["one", "two"]:
                try:
                    if control:
                        self.held(control, action, name)
                except (OSError, ValueError):
                    control = self.connect(2)
        for request in [{"verb": "run", "check": "files/calm"}, {"verb": "reload"}, {"verb": "status"}, {"verb": "plugins"}]:
            try:
                if control:
                    control.ask(**request)
            except (OSError, ValueError):
                control = self.connect(2)
        try:
            if control:
                self.held(control, "open", "two")
        except (OSError, ValueError):
            pass

    def stop(self, number=signal.SIGTERM):
        """The exit status; None when it had to be killed. The signal is sent again now and then: libuv's handler drops
        one when it can't read its own lock."""
        for _ in range(6):
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                return self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.process.kill()
        self.process.wait()
        return None

    def logged(self):
        with open(self.folder + "/log", "rb") as f:
            f.seek(self.log_begin)
            return f.read().decode("utf-8", "replace")


def all_recorded(acks, held):
    """Whether each acknowledged hold is a record, in order; to hold what is held so already needs none."""
    now, records_left = {"one": "auto", "two": "auto"}, iter(held)
    for name, hold in acks:
        while now[name] != hold:
            record = next(records_left, None)
            if record is None:
                return False
            now[record[0]] = record[1]
    return True


class Campaign:
    def __init__(self, build, shim, options):
        self.build, self.shim, self.options = build, shim, options
        self.top = tempfile.mkdtemp(prefix="belfry-nth-", dir=os.environ.get("TMPDIR", "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"))
        self.rounds = self.failed = self.rotated = self.refusals = self.libraries = self.acks = 0
        self.asan = b"__asan_init" in open(build + "/belfryd", "rb").read()
        self.make_template()

    # ---- folders

    def write_conf(self, folder):
        with open(folder + "/belfry.conf", "w") as f:
            f.write(CONF.format(folder))

    def verify(self, folder):
        p = belfry(self.build, folder, "journal", "verify", "--key", self.top + "/first.key")
        return p.returncode, p.stdout + p.stderr

    def make_template(self):
        """A folder where everything was used before, whose journal is about to rotate and ends in half a record."""
        self.folder = self.top + "/family"
        template = self.top + "/template"
        os.makedirs(self.folder + "/plugins")
        os.mkdir(self.folder + "/var", 0o700)
        shutil.copy(self.build + "/plugins/.libs/file-age.so", self.folder + "/plugins/")
        self.write_conf(self.folder)
        with open(self.top + "/first.key", "w") as f:
            f.write(seal(self.build, self.folder) + "\n")
        family = Family(self.folder, self.build)
        family.work()
        control = family.connect(60)
        control.socket.settimeout(60)  # nothing fails yet: a busy machine is waited for
        for name in ["one", "two"]:
            family.held(control, "auto", name)
        segment = lambda: segments(self.folder)[-1]
        while os.path.getsize(segment()) < (64 << 10) - 1200:
            family.held(control, "open", "one")
            family.held(control, "close", "one")
        for name in ["one", "two"]:
            family.held(control, "auto", name)
        assert family.stop() == 0, family.logged()
        with open(segment(), "ab") as f:
            f.write(b'{"seq":99999,"at":"2026-11-21T10:3')
        os.rename(self.folder, template)
        self.template = template

    def fresh(self):
        remove(self.folder)
        shutil.copytree(self.template, self.folder)
        return len(records(self.folder))

    # ---- a round

    def env_for(self, member, call, error, n):
        """What lets the call fail in that member: belfryd clears the environment of its children, so they get a wrapper."""
        values = {"NTH_CALL": call, "NTH_N": str(n), "NTH_ERROR": str(getattr(errno, error)), "NTH_REPORT": self.folder + "/hits", "LD_PRELOAD": self.shim}
        if self.options.forever:
            values["NTH_FOREVER"] = "1"
        if self.asan:
            values["ASAN_OPTIONS"] = "verify_asan_link_order=0:allocator_may_return_null=1:" + os.environ.get("ASAN_OPTIONS", "")
        if member == "belfryd":
            return self.build, values
        place = self.folder + "/bin"
        os.mkdir(place)
        for name in ["belfryd"] + MEMBERS[1:]:
            if name != member:
                shutil.copy(self.build + "/" + name, place + "/" + name) if name == "belfryd" else os.symlink(self.build + "/" + name, place + "/" + name)
        with open(place + "/" + member, "w") as f:
            f.write("#!/bin/sh\n" + "".join(f"export {k}='{v}'\n" for k, v in values.items()) + f'exec {self.build}/{member} "$@"\n')
        os.chmod(place + "/" + member, 0o755)
        return place, {}

    def judge(self, member, family, status, before):
        """What is wrong, or None."""
        hits = ""
        if os.path.exists(self.folder + "/hits"):  # who has the library makes it when it starts
            with open(self.folder + "/hits", "rb") as f:
                hits = f.read()[8:].rstrip(b"\0").decode()
        self.hit = hits.strip().replace("\n", "; ")
        log = family.logged()
        theirs = [how for name, ways in LIBRARIES.items() if name in hits for how in ways]
        if status is None:
            return "it hangs"
        if status < 0 and signal.Signals(-status).name in theirs:
            self.libraries += 1
        elif status < 0:
            return f"belfryd was ended by {signal.Signals(-status).name}"
        if "Sanitizer" in log or "runtime error" in log:
            return "a sanitizer found: " + next(l for l in log.splitlines() if "Sanitizer" in l or "runtime error" in l)
        if status > 0 and not any(" info " not in l for l in log.splitlines()):
            return f"it ended with status {status} and did not say why"
        self.refusals += status != 0
        # a worker that finds its descriptors changed ends itself: epoll_ctl can't truly fail there
        deliberate = "closed or replaced descriptors" in log
        crashes = [line for line in log.splitlines() if re.search("SIGSEGV|SIGABRT|SIGBUS", line)] if member != "belfryd" else []
        if crashes and not deliberate and not any(how in crashes[0] for how in theirs):
            return f"{member} crashed: {crashes[0]}"
        self.libraries += bool(crashes) and not deliberate
        self.rotated += len(segments(self.folder)) > 1
        code, text = self.verify(self.folder)
        if code != 0:
            return "the journal does not verify: " + text.strip().replace("\n", " | ")[:600]
        held = [(r["breaker"], r["name"]) for r in records(self.folder)[before:] if r["type"] == "breaker.held"]
        names = {"open": "open", "close": "closed", "auto": "auto"}
        if not all_recorded([(b, names[a]) for b, a in family.acks], held):
            return f"an acknowledged command is not in the journal: {len(family.acks)} answered, {len(held)} recorded"
        return None

    def again(self, family):
        """A family without faults on what is left."""
        next_one = Family(self.folder, self.build)
        control = next_one.connect(15)
        wrong = None
        if not control:
            wrong = "it does not start again: " + next_one.logged()[-300:]
        else:
            holds = {b["name"]: b["hold"] for b in control.ask(verb="breaker", action="list")["breakers"]}
            last = {r["breaker"]: r["name"] for r in records(self.folder) if r["type"] == "breaker.held"}
            wrong = next((f"breaker {name} is {holds[name]}, the last record says {hold}" for name, hold in last.items() if holds[name] != hold), None)
        next_one.stop(signal.SIGKILL)
        return wrong

    def round(self, member, call, error, n):
        before = self.fresh()
        build, env = self.env_for(member, call, error, n)
        family = Family(self.folder, build, env)
        family.work(1)
        status = family.stop()
        wrong = self.judge(member, family, status, before) or self.again(family)
        self.rounds += 1
        self.acks += len(family.acks)
        if wrong:
            self.failed += 1
            print(f"nth: FAILED: {member} {call} {error} N={n} [{self.hit}]: {wrong}", flush=True)
            kept = f"{self.top}/failed-{member}-{call}-{error}-{n}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(self.folder, kept, ignore=shutil.ignore_patterns("control.sock", "bin"))
        return bool(self.hit)

    # ---- all of it

    def series(self, member, call, error, until):
        """N = first, then on by steps that grow slowly beyond 64, until the call is not made so often any more."""
        n, rounds, complete = self.options.first, 0, False
        while time.monotonic() < until:
            if not self.round(member, call, error, n):
                complete = True
                break
            rounds += 1
            n += self.options.step if self.options.step else 1 + (n // 64) * random.randint(1, 2) + (n // 1024) * 16
        return n, rounds, complete

    def run(self):
        o = self.options
        kinds = [(m, c, e) for m in o.members for c in o.calls for e in ERRORS[c] if not o.errors or e in o.errors]
        end = time.monotonic() + o.seconds
        for i, (member, call, error) in enumerate(kinds):
            share = (end - time.monotonic()) / (len(kinds) - i)
            before = self.failed
            n, rounds, complete = self.series(member, call, error, time.monotonic() + max(share, 1))
            print(f"nth: {member:15} {call:9} {error:6} {rounds:4} rounds, {'all' if complete else 'not all'} of N up to {n - 1 if complete else n}, "
                  f"{self.failed - before} failed", flush=True)
        print(f"nth: {self.rounds} rounds ({self.rotated} with a rotation), {self.acks} acknowledged commands, {self.refusals} ended with a reason, {self.libraries} by libraries, {self.failed} failed")
        if self.rounds >= 10 and not self.rotated:
            self.failed += 1
            print("nth: FAILED: no round had a rotation: the campaign is blind to it")
        if not self.failed:
            remove(self.top)
        else:
            print(f"nth: the folders of the failed rounds are in {self.top}")
        return self.failed


def main():
    parser = argparse.ArgumentParser()
    words = lambda text: text.split(",")
    parser.add_argument("--calls", type=words, default=list(ERRORS))
    parser.add_argument("--errors", type=words, default=[])
    parser.add_argument("--members", type=words, default=MEMBERS)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--step", type=int, default=0)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--forever", action="store_true")
    options = parser.parse_args()
    random.seed(options.seed)
    build = os.path.abspath(os.environ["top_builddir"])
    sanitized = b"__asan_init" in open(build + "/belfryd", "rb").read()
    shim = f"{build}/tests/torture/.libs/{'nth-calls' if sanitized else 'nth'}.so"
    if sanitized:  # it has an allocator of its own
        options.calls = [c for c in options.calls if c not in ("malloc", "mmap")]
    if not os.path.exists(shim):
        sys.exit(f"nth: {shim} is missing: 'make check' builds it")
    sys.exit(1 if Campaign(build, shim, options).run() else 0)


main()
