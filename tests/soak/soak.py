#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""soak.py - a family under load for a long time, and what it holds meanwhile.

    soak.py [--minutes M] [--checks N] [--evil PERCENT] [--every SECONDS] [--out FOLDER]
    soak.py --bounds SECONDS       the share of `make check`: what is held before and after evil plugins must be the same

N checks run once a second; so many percent are of plugins that crash, hang, write garbage into their socket or forget
descriptors; half of these are never put to rest by their breaker. The configuration changes and is reloaded once a minute. Every few seconds resident memory, descriptors and
threads of each good process of the family, its zombies and its files are counted. After a quarter of the time (at most
two minutes) as warm-up, a line is fitted through the means of up to 24 blocks by least squares. A slope is flat unless
its 95 % interval lies wholly above the allowance: that is growth, and the soak fails.

Writes soak.csv and soak.svg into FOLDER; the last line of the output is the sum."""
import argparse
import csv
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../torture")
from daemon import Control, remove, start  # noqa: E402

BUILD = os.path.abspath(os.environ["top_builddir"])
# what is fitted: name, unit, allowed growth an hour
KINDS = [("rss", "KiB", 1024.0), ("fds", "", 1.0), ("threads", "", 1.0)]
WHOLE = [("zombies", "", 1.0), ("files", "", 1.0), ("processes", "", 6.0)]
EVIL = ["crash", "loop", "garbage", None]  # None: the leaky plugin


class Family:
    def __init__(self, checks, evil_percent):
        self.top = tempfile.mkdtemp(prefix="belfry-soak-")
        os.mkdir(self.top + "/plugins")
        for name in ["null", "evil", "leaky"]:
            folder = "soak" if name == "leaky" else "fixtures"
            shutil.copy(f"{BUILD}/tests/{folder}/.libs/{name}.so", self.top + "/plugins/")
        self.checks, self.evil = checks, round(checks * evil_percent / 100)
        self.write(0, self.evil)
        self.process = start(BUILD, self.top)
        self.pid = self.process.pid
        end = time.monotonic() + 60
        while self.ask(verb="breaker", action="list") is None:
            if time.monotonic() > end or self.process.poll() is not None:
                sys.exit("soak: belfryd does not answer: " + open(self.top + "/log").read()[-2000:])
            time.sleep(0.05)

    def write(self, turn, evil):
        """The configuration; turn moves some checks, so that each reload has something to add and to remove."""
        good = self.checks - self.evil
        with open(self.top + "/new.conf", "w") as f:
            f.write(f'state_dir = "{self.top}/var"; run_dir = "{self.top}/run"; plugin_dirs = [ "{self.top}/plugins" ];\n')
            f.write('defaults: { every = "1s"; timeout = "900ms"; attempts = 2; };\njournal: { segment = "1MiB"; };\n')
            f.write('plugins: { evil: { allow = [ "processes" ]; }; };\nservices: {\n')
            for service in range(0, good, 100):
                names = [n + turn * good if n % 100 == 7 else n for n in range(service, min(service + 100, good))]
                f.write(f"  s{service // 100}: {{ checks: {{ " + " ".join(f'c{n}: {{ plugin = "null"; }};' for n in names) + " }; };\n")
            if evil:
                f.write("  evil: { checks: {\n")
                for n in range(evil):
                    mode = EVIL[n % len(EVIL)]
                    what = f'plugin = "evil"; mode = "{mode}";' if mode else 'plugin = "leaky";'
                    again = "breaker = { failures = 1000; };" if n % 8 < 4 else ""  # half are not put to rest
                    f.write(f"    e{n}: {{ {what} {again} }};\n")
                f.write("  }; };\n")
            f.write("};\n")
        os.rename(self.top + "/new.conf", self.top + "/belfry.conf")

    def ask(self, **request):
        """The answer, or None."""
        try:
            with Control(self.top, 60) as control:
                return control.ask(**request)
        except (OSError, ValueError):
            return None

    def runs(self):
        answer = self.ask(verb="status", service="s0")
        return (answer["daemon"]["runs"], answer["daemon"]["missed"], answer["daemon"]["lag_ms"]) if answer else (0, 0, 0)

    def sample(self):
        return sample(self.pid, self.top)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return status

    def remove(self):
        remove(self.top)


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def descendants(root):
    """(pid, state, command line) of the process and all below it."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = read(f"/proc/{name}/stat").rsplit(")", 1)[1].split()
                table[int(name)] = (int(fields[1]), fields[0])
            except (OSError, IndexError):
                pass
    found, grew = {root}, True
    while grew:
        more = {p for p, (parent, _) in table.items() if parent in found} - found
        found |= more
        grew = bool(more)
    for pid in sorted(found):
        if pid in table:
            try:
                yield pid, table[pid][1], read(f"/proc/{pid}/cmdline").replace("\0", " ")
            except OSError:
                pass


def role(line):
    """Which of the keeper's children it is; None for one that has an evil plugin, or is only passing (a child that was
    just forked still has the keeper's command line)."""
    if "belfryd -c" in line:
        return None
    if "belfry-recorder" in line:
        return "recorder"
    return "worker" if "/null.so" in line else None


def sample(root, top):
    out = {"zombies": 0, "processes": 0, "files": 0}
    for pid, state, line in descendants(root):
        out["zombies"] += state == "Z"
        out["processes"] += 1
        name = "keeper" if pid == root else role(line)
        if not name:
            continue
        try:
            rss = int(read(f"/proc/{pid}/statm").split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
            fds, threads = len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
        for kind, value in (("rss", rss), ("fds", fds), ("threads", threads)):
            out[f"{name}.{kind}"] = out.get(f"{name}.{kind}", 0) + value
    for folder, _, files in os.walk(top):  # journal and RRD files grow as they should
        if not folder.endswith("/journal") and "/rrd" not in folder:
            out["files"] += len(files)
    return out


# ---- slopes

T95 = {1: 12.7, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 15: 2.13, 20: 2.09, 22: 2.07}


def fit(points):
    """Slope an hour and the half width of its 95 % interval, through the means of blocks (samples follow each other
    closely, blocks hardly depend on one another)."""
    blocks = min(24, len(points) // 2)
    if blocks < 4:
        return 0.0, math.inf
    means = []
    for i in range(blocks):
        part = points[i * len(points) // blocks:(i + 1) * len(points) // blocks]
        means.append((sum(t for t, _ in part) / len(part) / 3600, sum(v for _, v in part) / len(part)))
    n, mt, mv = len(means), sum(t for t, _ in means) / len(means), sum(v for _, v in means) / len(means)
    across = sum((t - mt) ** 2 for t, _ in means)
    slope = sum((t - mt) * (v - mv) for t, v in means) / across
    rest = sum((v - mv - slope * (t - mt)) ** 2 for t, v in means)
    quantile = T95[max(k for k in T95 if k <= n - 2)]
    return slope, quantile * math.sqrt(rest / (n - 2) / across)


def picture(path, rows, columns):
    """Each column as a line over time, scaled to itself, one below the other."""
    width, height, left = 900, 60, 190
    end = rows[-1]["seconds"] or 1
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 90}" height="{len(columns) * (height + 14) + 30}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="#fff"/>']
    for i, column in enumerate(columns):
        values = [(r["seconds"], r[column]) for r in rows if column in r]
        low, high = min(v for _, v in values), max(v for _, v in values)
        y0 = i * (height + 14) + 10
        points = " ".join(f"{left + t / end * width:.1f},{y0 + height - (v - low) / ((high - low) or 1) * (height - 6) - 3:.1f}" for t, v in values)
        out.append(f'<text x="8" y="{y0 + 34}">{column}</text><text x="{left + width + 6}" y="{y0 + 12}">{high:g}</text><text x="{left + width + 6}" y="{y0 + height}">{low:g}</text>')
        out.append(f'<rect x="{left}" y="{y0}" width="{width}" height="{height}" fill="none" stroke="#ccc"/><polyline points="{points}" fill="none" stroke="#246" stroke-width="1"/>')
    out.append(f'<text x="{left}" y="{len(columns) * (height + 14) + 24}">0</text><text x="{left + width - 40}" y="{len(columns) * (height + 14) + 24}">{end:.0f} s</text></svg>')
    with open(path, "w") as f:
        f.write("\n".join(out))


def soak(o):
    family = Family(o.checks, o.evil)
    rows, began, next_reload, turn, refused = [], time.monotonic(), 60.0, 0, 0
    first = family.runs()
    with open(o.out + "/soak.csv", "w", newline="") as f:
        writer = None
        while time.monotonic() - began < o.minutes * 60:
            now = time.monotonic() - began
            if now >= next_reload:
                turn, next_reload = turn + 1, next_reload + 60
                family.write(turn, family.evil)
                answer = family.ask(verb="reload")
                refused += not (answer and answer.get("ok"))
                runs = family.runs()
                print(f"soak: {now:5.0f} s, {(runs[0] - first[0]) / now:.0f} runs/s, {runs[1] - first[1]} missed, lag {runs[2]} ms, "
                      f"keeper {rows[-1].get('keeper.rss')} KiB, {rows[-1].get('keeper.fds')} descriptors, {rows[-1]['processes']} processes", flush=True)
            row = {"seconds": round(now, 1), **family.sample()}
            if family.process.poll() is not None:
                print("soak: belfryd ended:", read(family.top + "/log")[-2000:])
                print("soak: FAILED")
                return 1
            rows.append(row)
            if writer is None:
                columns = ["seconds"] + [f"{r}.{k}" for r in ("keeper", "recorder", "worker") for k, _, _ in KINDS] + [k for k, _, _ in WHOLE]
                writer = csv.DictWriter(f, columns, extrasaction="ignore")
                writer.writeheader()
            writer.writerow(row)
            time.sleep(max(0.0, o.every - (time.monotonic() - began - now)))
    last, seconds = family.runs(), time.monotonic() - began
    status = family.stop()
    crashes = sum("plugin.crashed" in line for line in read(family.top + "/log").splitlines())
    verify = subprocess.run([BUILD + "/belfry", "-c", family.top + "/belfry.conf", "journal", "verify"], capture_output=True, text=True)
    grown = report(rows, seconds)
    picture(o.out + "/soak.svg", rows, columns[1:])
    failed = grown + refused + (status != 0) + (verify.returncode != 0)
    print(f"soak: {seconds:.0f} s, {o.checks} checks, {o.evil:g} % evil, {last[0] - first[0]} runs ({(last[0] - first[0]) / seconds:.0f}/s), {crashes} crashes told, "
          f"{turn} reloads, {refused} refused; {grown} values grew; stopped with {status}; journal {'verifies' if verify.returncode == 0 else 'DOES NOT VERIFY'}: "
          f"{'FAILED' if failed else 'flat'}")
    family.remove()
    return 1 if failed else 0


def report(rows, seconds):
    """Prints every slope; how many are growth."""
    warm, grown = min(seconds / 4, 120), 0
    kinds = [(f"{r}.{k}", u, a) for r in ("keeper", "recorder", "worker") for k, u, a in KINDS] + WHOLE
    for name, unit, allowed in kinds:
        points = [(r["seconds"], r[name]) for r in rows if r["seconds"] >= warm and name in r]
        if not points:
            continue
        slope, half = fit(points)
        bad = slope - half > allowed
        grown += bad
        values = [v for _, v in points]
        print(f"soak: {name:16} {min(values):8g} to {max(values):8g} {unit:4} slope {slope:+10.2f} +- {half:.2f} an hour, allowed {allowed:g}{'  GROWS' if bad else ''}")
    return grown


# ---- the share of make check

def bounds(seconds):
    """TAP: a family before, under and after evil plugins."""
    points = [0, 0]

    def ok(good, what):
        points[0] += 1
        points[1] += not good
        print(f"{'ok' if good else 'not ok'} {points[0]} - {what}", flush=True)

    def settle(wanted):
        """A sample with those values, or the last one after half a minute."""
        end = time.monotonic() + 30
        while True:
            now = family.sample()
            if time.monotonic() > end or all(now.get(k) == v for k, v in wanted.items()):
                return now
            time.sleep(0.2)

    held = ["keeper.fds", "keeper.threads", "recorder.fds", "recorder.threads", "worker.fds", "worker.threads", "zombies", "files", "processes"]
    family = Family(400, 4)
    family.write(0, 0)
    family.ask(verb="reload")
    end = time.monotonic() + 30
    while not os.path.exists(family.top + "/var/rrd/.pending") and time.monotonic() < end:
        time.sleep(0.1)  # the recorder opens it with its first sample, and keeps it
    before = settle({"processes": 3, "zombies": 0})
    for _ in range(5):
        time.sleep(0.5)
        now = family.sample()
        before = {k: max(before.get(k, 0), now.get(k, 0)) for k in held}
    ok(before["processes"] == 3, f"without evil plugins: keeper, recorder and one worker ({before['processes']} processes)")
    family.write(1, family.evil)
    family.ask(verb="reload")
    end, most = time.monotonic() + seconds, {}
    while time.monotonic() < end:
        now = family.sample()
        most = {k: max(most.get(k, 0), now.get(k, 0)) for k in held}
        time.sleep(0.25)
    log = read(family.top + "/log")
    ok(re.search("plugin crashed: (SIGSEGV|SIGABRT|exit status)", log), "evil plugins were evil")
    ok(most["zombies"] <= 4, f"a dead worker does not stay ({most['zombies']} zombies at once)")
    ok(most["processes"] <= 3 + 12, f"processes are bounded ({most['processes']})")
    ok(most["worker.fds"] <= before["worker.fds"] + 1 and most["worker.threads"] == before["worker.threads"], "a good worker does not notice")
    family.write(2, 0)
    family.ask(verb="reload")
    after = settle({k: before[k] for k in held})
    measured = sum(EVIL[n % len(EVIL)] is None for n in range(family.evil))  # the recorder keeps the files open that it has written
    for k in held:
        more = range(measured + 1) if k == "recorder.fds" else range(1)
        ok(after.get(k, 0) - before[k] in more, f"afterwards {k} is as before ({after.get(k)}, {before[k]})")
    ok(family.stop() == 0, "and the family stops")
    if points[1]:
        print("\n".join("# " + line for line in read(family.top + "/log").splitlines()[-30:]))
    family.remove()
    print(f"1..{points[0]}")
    return 1 if points[1] else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--checks", type=int, default=2000)
    parser.add_argument("--evil", type=float, default=2)
    parser.add_argument("--every", type=float, default=3)
    parser.add_argument("--out", default=".")
    parser.add_argument("--bounds", type=float)
    o = parser.parse_args()
    sys.exit(bounds(o.bounds) if o.bounds else soak(o))


main()
