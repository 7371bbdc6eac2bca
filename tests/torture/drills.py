#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""drills.py KILLS [SEED] - kill -9 at random moments of restore drills of MariaDB, PostgreSQL, Redis and an archive, whichever
are installed: small ones, so that a kill costs about a second.

Each round starts one or two drills, waits for a moment between their begin and a little behind the end they had without a
kill, and kills one of: the daemon, the supervisor, the runner, a server or tool of theirs; sometimes two of them at once, or
who cleans up after the first. A daemon that was killed is started again. What must hold after each round:
  - no process that a drill has started lives: by the environment of all of /proc, by its mounts, by its command line
  - no folder of a drill is there, and what no drill had made is: a folder of that name without a marker, one with another id
and every 25 kills, in the files of the journal as the kernel has them:
  - each drill.started has one end, passed, failed, cancelled or abandoned, and no end is without a beginning
At the end each drill passes once more, the journal verifies, and no backup was changed.
Exit status 0: all held; 1: it says what; 77: nothing to restore with. SIGINT ends it early, with the sum."""
import collections
import hashlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from daemon import Control, belfry, connect, records, remove, start  # noqa: E402

TOP = os.environ["top_builddir"]
WORK = tempfile.mkdtemp(prefix="belfry-drills-")
os.chmod(WORK, 0o755)
PLACE, SHOP = WORK + "/var/scratch", WORK + "/shop"
OTHERS = ["belfry-drill-0000000000000000", "belfry-drill-1111111111111111", "mine"]  # made by nobody's drill
CHECKED_EVERY = 25
WAIT_S = 300
ENDS = ("drill.passed", "drill.failed", "drill.cancelled", "drill.abandoned")


class Broken(Exception):
    pass


# ---- backups, as the tools write them

def mariadb_dump():
    rows = ",\n".join(f"({i},'{time.strftime('%F %T')}')" for i in range(1, 301))
    return ("-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n"
            "CREATE TABLE `orders` (`id` int NOT NULL, `created` datetime, PRIMARY KEY (`id`)) ENGINE=InnoDB;\n"
            f"INSERT INTO `orders` VALUES\n{rows};\n-- Dump completed on {time.strftime('%F %T')}\n").encode()


def postgres_dump():
    rows = "".join(f"{i}\n" for i in range(1, 301))
    return f"--\n-- PostgreSQL database dump\n--\nCREATE TABLE orders (id integer);\nCOPY orders (id) FROM stdin;\n{rows}\\.\n\n--\n-- PostgreSQL database dump complete\n--\n".encode()


def redis_dump():
    body = b"REDIS0010\xfa\x05ctime\xc2" + struct.pack("<I", int(time.time())) + b"\xfe\x00\xfb\x01\x00\x00\x01a\x01b\xff"
    crc = 0
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return body + struct.pack("<Q", crc)


def archive():
    os.mkdir(WORK + "/tree")
    for i in range(400):
        with open(f"{WORK}/tree/{i}", "wb") as out:
            out.write(os.urandom(4096) * 16)
    return subprocess.run(["tar", "-C", WORK + "/tree", "-czf", "-", "."], stdout=subprocess.PIPE, check=True).stdout


def find(*programs):
    """Whether all of them are here; those of PostgreSQL hide."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    for version in os.listdir("/usr/lib/postgresql") if os.path.isdir("/usr/lib/postgresql") else []:
        path += f":/usr/lib/postgresql/{version}/bin"
    return all(shutil.which(program, path=path) for program in programs)


# name: what makes its backup, what it asks, what it needs
DRILLS = {
    "shop": (mariadb_dump, '{ table = "orders"; min_rows = 300; }', ("mariadbd", "mariadb-install-db", "mariadb")),
    "books": (postgres_dump, '{ table = "orders"; min_rows = 300; }', ("postgres", "initdb", "psql")),
    "cache": (redis_dump, '{ key = "a"; }', ("redis-server", "redis-cli")),
    "files": (archive, '{ file = "399"; }', ("tar", "gzip")),
}


def configure():
    os.makedirs(SHOP)
    os.mkdir(WORK + "/plugins")
    shutil.copy(TOP + "/plugins/.libs/drill.so", WORK + "/plugins/")  # alone: it is described at each start
    for name in OTHERS:
        os.makedirs(f"{PLACE}/{name}")
        with open(f"{PLACE}/{name}/keep", "w") as out:
            out.write("it is mine\n")
    with open(f"{PLACE}/{OTHERS[1]}/marker", "w") as out:
        out.write("belfry-drill 2222222222222222\n")
    names, text = [], f'state_dir = "{WORK}/var"; run_dir = "{WORK}/run"; plugin_dirs = [ "{WORK}/plugins" ];\ndrills: {{\n'
    for name, (make, asks, needs) in DRILLS.items():
        if find(*needs):
            with open(f"{SHOP}/{name}", "wb") as out:
                out.write(make())
            text += f'  {name}: {{ source = "{SHOP}/{name}"; assertions = ( {asks} ); }};\n'
            names.append(name)
    with open(WORK + "/belfry.conf", "w") as out:
        out.write(text + "};\n")
    os.chmod(SHOP, 0o755)
    return names


# ---- what is there

def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def children(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it is gone
        return []
    return [int(child) for task in tasks for child in read(f"/proc/{pid}/task/{task}/children").split()]


def comm(pid):
    return read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def family(daemon):
    """Of the drills that run: the supervisors, the runners, and all below them."""
    supervisors = [pid for pid in children(daemon.pid) if comm(pid) == "belfry-drill"]
    runners = [pid for s in supervisors for pid in children(s)]
    below, at = [], list(runners)
    while at:
        at = [pid for one in at for pid in children(one)]
        below += at
    return supervisors, runners, below


def left_processes(ids, daemon):
    """Everything of these drills, and every other belfry-drill of the daemon's."""
    found = [pid for pid in children(daemon.pid) if comm(pid) == "belfry-drill"]
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        said = read(f"/proc/{pid}/environ"), read(f"/proc/{pid}/cmdline"), read(f"/proc/{pid}/mountinfo")
        if any(b"BELFRY_DRILL=" + i in said[0] or b"belfry-drill-" + i in said[1] or b"belfry-drill-" + i in said[2] for i in ids):
            found.append(pid)
    return sorted(set(found))


def left_folders():
    return sorted(set(os.listdir(PLACE)) ^ set(OTHERS))


def others_are_whole():
    return all(read(f"{PLACE}/{name}/keep") == b"it is mine\n" for name in OTHERS)


def shop_sum():
    return {name: hashlib.sha256(read(f"{SHOP}/{name}")).hexdigest() for name in os.listdir(SHOP)}


# ---- the campaign

class Campaign:
    def __init__(self, names):
        self.names = names
        self.took = {}  # seconds of a drill without a kill
        self.victims = collections.Counter()
        self.ends = collections.Counter()
        self.kills = self.missed = self.drills = 0
        self.slowest = 0.0
        self.daemon = None
        self.launch()

    def launch(self):
        self.daemon = start(TOP, WORK)
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            client = connect(WORK, self.daemon, end - time.monotonic(), timeout=10)
            if not client:
                break
            try:
                with client:
                    client.ask(verb="drill", action="list")
                return
            except OSError:  # the socket of the daemon before
                time.sleep(0.01)
        raise Broken("the daemon does not start")

    def ask(self, **request):
        with Control(WORK, timeout=30) as client:
            return client.ask(verb="drill", **request)

    def run(self, name):
        answer = self.ask(action="run", name=name)
        if not answer["ok"]:
            raise Broken(f"drill '{name}' can't be started: {answer['error']}")
        self.drills += 1
        return answer["id"].encode()

    def wait(self, ids):
        """Until nothing of them is left; what is left when the time is over is the trouble."""
        begin = time.monotonic()
        trouble = "?"
        while trouble and time.monotonic() < begin + WAIT_S:
            busy = [d["name"] for d in self.ask(action="list")["drills"] if d["state"] != "idle"]
            pids = [] if busy else left_processes(ids, self.daemon)
            trouble = busy and f"{busy} do not end" or pids and f"{[(p, comm(p)) for p in pids]} live" or \
                left_folders() and f"{left_folders()} in {PLACE}" or not others_are_whole() and "others' folders were changed"
            if trouble:
                time.sleep(0.02)
        self.slowest = max(self.slowest, time.monotonic() - begin)
        if trouble:
            raise Broken(f"kill {self.kills}: {trouble}")

    def measure(self):
        """Each once without a kill: it must pass."""
        for name in self.names:
            begin = time.monotonic()
            ids = [self.run(name)]
            self.wait(ids)
            self.took[name] = time.monotonic() - begin
            result = next(d["result"] for d in self.ask(action="list")["drills"] if d["name"] == name)
            if result != "passed":
                raise Broken(f"drill '{name}' without a kill: {result}")

    def kill(self, pid, what):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            return
        self.kills += 1
        self.victims[what] += 1

    def strike(self):
        """One or two victims; whether the daemon was among them."""
        supervisors, runners, below = family(self.daemon)
        choices = [("belfryd", [self.daemon.pid])] * 3 + [("supervisor", supervisors)] * 3 + [("runner", runners)] * 3 + [("tool", below)] * 4
        wanted = random.sample(choices, 2 if random.random() < 0.2 else 1)
        hit = [(what, random.choice(pids)) for what, pids in wanted if pids]
        self.missed += not supervisors
        named = [(comm(pid) if what == "tool" else what, pid) for what, pid in hit]
        for what, pid in named:
            self.kill(pid, what)
        return any(pid == self.daemon.pid for _, pid in hit)

    def strike_cleaner(self):
        """Who cleans up after the first kill: the supervisor still, or the belfry-drill that reaps."""
        end = time.monotonic() + random.random() * 0.05
        while time.monotonic() < end:
            time.sleep(0.001)
        for pid in family(self.daemon)[0][:1]:
            self.kill(pid, "cleaner")

    def round(self):
        names = random.sample(self.names, 2 if len(self.names) > 1 and random.random() < 0.2 else 1)
        ids = [self.run(name) for name in names]
        time.sleep(random.random() * 1.1 * max(self.took[name] for name in names))
        if self.strike():
            self.daemon.wait()
            self.launch()
        if random.random() < 0.04:  # a cleaner that is killed is followed by another one a minute later
            self.strike_cleaner()
        self.wait(ids)

    def check_records(self):
        began, ended = collections.Counter(), collections.Counter()
        self.ends.clear()
        for record in records(WORK):
            if record["type"] == "drill.started":
                began[record["id"]] += 1
            elif record["type"] in ENDS:
                ended[record["id"]] += 1
                self.ends[record["type"][6:]] += 1
        wrong = [i for i in began | ended if (began[i], ended[i]) != (1, 1)]
        if wrong or sum(began.values()) != self.drills:
            raise Broken(f"kill {self.kills}: {self.drills} drills were started, {sum(began.values())} are recorded; without one beginning and one end: {wrong}")

    def tell(self, seed):
        victims = ", ".join(f"{n} of {what}" for what, n in self.victims.most_common())
        ends = ", ".join(f"{n} {what}" for what, n in self.ends.most_common())
        print(f"drills: {self.kills} kills (seed {seed}): {victims}; {self.drills} drills: {ends}; no server, no folder, no drill without its record; "
              f"cleaned up within {self.slowest:.1f} s", flush=True)

    def finish(self, sums):
        self.measure()
        self.check_records()
        self.daemon.terminate()
        if self.daemon.wait() != 0:
            raise Broken("the daemon does not stop well")
        verify = belfry(TOP, WORK, "journal", "verify")
        if verify.returncode != 0:
            raise Broken("verify: " + verify.stdout)
        if shop_sum() != sums:
            raise Broken("a backup was changed")


def main():
    wanted, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    random.seed(seed)
    names = configure()
    if not names:
        print("drills: SKIP: nothing to restore with is installed")
        return 77
    ended, told, campaign, sums = [], 0, None, shop_sum()
    try:
        campaign = Campaign(names)
        campaign.measure()
        print("drills: without a kill " + ", ".join(f"{name} takes {s:.1f} s" for name, s in campaign.took.items()), flush=True)
        signal.signal(signal.SIGINT, lambda *_: ended.append(True))
        while campaign.kills < wanted and not ended:
            campaign.round()
            if campaign.kills - told >= CHECKED_EVERY:
                told = campaign.kills
                campaign.check_records()
                campaign.tell(seed)
        campaign.finish(sums)
        campaign.tell(seed)
        if campaign.missed > campaign.kills // 2 + 5:
            raise Broken(f"{campaign.missed} moments found no drill: the run was blind")
    except Broken as broken:
        print(f"drills: {broken}; see {WORK}")
        return 1
    finally:
        if campaign and campaign.daemon:
            campaign.daemon.kill()
    remove(WORK)
    return 0


sys.exit(main())
