#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""soak.py - a family under load for a long time, and what it holds meanwhile.

    soak.py [--minutes M] [--checks N] [--evil PERCENT] [--reload SECONDS] [--every SECONDS] [--out FOLDER]
    soak.py --self-test            made-up series: leaks must be seen, swings must not be taken for leaks
    soak.py --bounds SECONDS       the share of `make check`: the self-test, and what is held before and after evil plugins
                                   must be the same

N checks run once a second; so many percent are of plugins that crash, hang, write garbage into their socket or forget
descriptors; half of these are never put to rest by their breaker. The configuration changes and is reloaded once a
minute (--reload). Every few seconds resident memory, descriptors and threads of each good process of the family, its
zombies and its files are counted.

What is held swings with reloads and crashes; a leak is what is held even when it is least. So of each period between two
reloads only the least counts: its low water. A quarter of the periods (at least three, at most ten minutes) is warm-up; the others are
put together to at most 48 blocks, and the slope is the median of those between any two (Theil and Sen), which a stray
value does not move. Growth, by which the soak fails, is a slope that is above the allowance (of memory: 128 KiB an hour,
and 256 KiB in all) with a certainty of 99 % by Kendall's distribution, and that the later half has, too: what only
settles rises in the first one.

Writes soak.csv and soak.svg into FOLDER; the last lines of the output are the sum."""
import argparse
import csv
import math
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
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../torture")
from daemon import Control, remove, start  # noqa: E402

BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
# what is looked at: name, unit, allowed growth an hour and in all
RSS = ("rss", "KiB", 128.0, 256.0)
KINDS = [RSS, ("fds", "", 1.0, 1.0), ("threads", "", 1.0, 1.0)]
WHOLE = [("zombies", "", 1.0, 1.0), ("files", "", 1.0, 1.0), ("processes", "", 1.0, 1.0)]
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

BLOCKS_MAX, WARM_S, SURE = 48, 600, 2.33  # one-sided 99 %


def low_water(points, period_s):
    """(hours, least value) of each whole period after the warm-up, put together to blocks."""
    count = int(points[-1][0] // period_s)
    warm = max(3, min(count // 4, math.ceil(WARM_S / period_s)))
    least = {}
    for t, v in points:
        period = int(t // period_s)
        least[period] = min(v, least.get(period, v))
    lows = [(v, (p + 0.5) * period_s / 3600) for p, v in sorted(least.items()) if warm <= p < count]
    blocks = min(BLOCKS_MAX, len(lows))
    return [min(lows[i * len(lows) // blocks:(i + 1) * len(lows) // blocks])[::-1] for i in range(blocks)]


def fit(lows):
    """The slope an hour, and what it is at least."""
    n = len(lows)
    slopes = sorted((v - w) / (t - u) for i, (t, v) in enumerate(lows) for u, w in lows[:i])
    if n < 4:
        return 0.0, -math.inf
    off = (len(slopes) - SURE * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)) / 2
    return slopes[len(slopes) // 2], slopes[int(off)] if off >= 0 else -math.inf


def grows(lows, allowed, allowed_in_all):
    """Whether that is growth; slope, and what it is at least."""
    slope, least = fit(lows)
    later = fit(lows[len(lows) // 2:] if len(lows) >= 8 else lows)[0]
    hours = lows[-1][0] - lows[0][0]
    return min(least, later) > allowed and least * hours > allowed_in_all, slope, least


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
    rows, began, next_reload, tell, turn, refused = [], time.monotonic(), o.reload, 60.0, 0, 0
    first = family.runs()
    with open(o.out + "/soak.csv", "w", newline="") as f:
        writer = None
        while time.monotonic() - began < o.minutes * 60:
            now = time.monotonic() - began
            if now >= next_reload:
                turn, next_reload = turn + 1, next_reload + o.reload
                family.write(turn, family.evil)
                answer = family.ask(verb="reload")
                refused += not (answer and answer.get("ok"))
            if now >= tell and rows:
                runs, tell = family.runs(), tell + 60
                print(f"soak: {now:5.0f} s, {(runs[0] - first[0]) / now:.0f} runs/s, {runs[1] - first[1]} missed, lag {runs[2]} ms, "
                      f"keeper {rows[-1].get('keeper.rss')} KiB, {rows[-1].get('keeper.fds')} descriptors, {rows[-1]['processes']} processes", flush=True)
            row = {"seconds": round(now, 1), **family.sample()}
            if family.process.poll() is not None:
                print("soak: belfryd ended:", read(family.top + "/log")[-2000:])
                print("soak: FAILED")
                return 1
            rows.append(row)
            if writer is None:
                columns = ["seconds"] + [f"{r}.{k}" for r in ("keeper", "recorder", "worker") for k, *_ in KINDS] + [k for k, *_ in WHOLE]
                writer = csv.DictWriter(f, columns, extrasaction="ignore")
                writer.writeheader()
            writer.writerow(row)
            time.sleep(max(0.0, o.every - (time.monotonic() - began - now)))
    last, seconds = family.runs(), time.monotonic() - began
    status = family.stop()
    crashes = sum("plugin.crashed" in line for line in read(family.top + "/log").splitlines())
    verify = subprocess.run([BUILD + "/belfry", "-c", family.top + "/belfry.conf", "journal", "verify"], capture_output=True, text=True)
    grown = report(rows, o.reload)
    picture(o.out + "/soak.svg", rows, columns[1:])
    failed = grown + refused + (status != 0) + (verify.returncode != 0)
    print(f"soak: {seconds:.0f} s, {o.checks} checks, {o.evil:g} % evil, {last[0] - first[0]} runs ({(last[0] - first[0]) / seconds:.0f}/s), "
          f"{crashes} crashes told, {turn} reloads")
    print(f"soak: {'FAILED' if failed else 'passed'}: {grown or 'no'} values grew, {refused or 'no'} reloads were refused, belfryd ended with {status}, "
          f"'journal verify' with {verify.returncode}")
    family.remove()
    return 1 if failed else 0


def report(rows, period_s):
    """Prints every slope; how many are growth."""
    grown = 0
    kinds = [(f"{r}.{k}", *rest) for r in ("keeper", "recorder", "worker") for k, *rest in KINDS] + WHOLE
    for name, unit, allowed, in_all in kinds:
        points = [(r["seconds"], r[name]) for r in rows if name in r]
        if not points or points[-1][0] < period_s * 2:
            continue
        lows, values = low_water(points, period_s), [v for _, v in points]
        bad, slope, least = grows(lows, allowed, in_all)
        grown += bad
        print(f"soak: {name:16} {min(values):7g} to {max(values):7g} {unit:4} low water {lows[0][1]:7g} to {lows[-1][1]:7g}, slope {slope:+10.2f}, "
              f"at least {least:+.2f} an hour{'  GROWS' if bad else ''}")
    return grown


# ---- the share of make check: made-up series

class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, what):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def made_up(seed, minutes, per_hour=0.0, settles=0.0, flat=False, period_s=60.0):
    """KiB every three seconds: a low water that wanders, on it a swing that falls anywhere with each period, sometimes a
    peak; what leaks away comes on top."""
    rng = random.Random(seed)
    wander, points, level = 0.0, [], 0.0
    for i in range(int(minutes * 20)):
        t = i * 3.0
        if i % int(period_s / 3) == 0:
            wander, level = 0.6 * wander + rng.gauss(0, 120), 0.0
        if rng.random() < 0.1:
            level = rng.choice([0, 500, 1500, 2500]) * rng.random()
        peak = rng.random() < 0.01 and 4000 * rng.random()
        swing = 0 if flat else wander + level + peak
        points.append((t, 13000 + swing + per_hour * t / 3600 + settles * (1 - math.exp(-t / 90))))
    return points


# what, minutes, what is made up, period, how many of 100 series may, and must, be called growth
STORIES = [
    ("a swing, 9 minutes", 9, {}, 3, 0),
    ("a swing, 3 hours", 180, {}, 3, 0),
    ("a swing on what settles, 9 minutes", 9, {"settles": 1000}, 5, 0),
    ("a swing on what settles, an hour", 60, {"settles": 1500}, 3, 0),
    ("a swing within the allowance, 6 hours", 360, {"per_hour": 40}, 3, 0),
    ("nothing that moves at all", 20, {"flat": True}, 0, 0),
    ("16 bytes of each of 2,000 results a second, 9 minutes", 9, {"per_hour": 16 * 2000 * 3.6}, 100, 95),
    ("one byte of each, an hour", 60, {"per_hour": 2000 * 3.6}, 100, 100),
    ("4 KiB at each reload, every minute, 6 hours", 360, {"per_hour": 240}, 100, 90),
    ("4 KiB at each reload, every 3 seconds, 20 minutes", 20, {"per_hour": 4 * 1200, "period_s": 3.0}, 100, 95),
]


def self_test(ok):
    for what, minutes, story, most, least in STORIES:
        period = story.get("period_s", 60.0)
        seen = sum(grows(low_water(made_up(seed, minutes, **story), period), *RSS[2:])[0] for seed in range(100 if minutes < 100 else 25))
        share = seen if minutes < 100 else seen * 4
        ok(least <= share <= most, f"{what}: {share} % are called growth")


# ---- the share of make check: a family

def bounds(seconds):
    """TAP: a family before, under and after evil plugins."""
    tap = Tap()
    ok = tap.ok

    def settle(wanted):
        """A sample with those processes and no more than that of the rest, or the last one after half a minute."""
        end = time.monotonic() + 30
        while True:
            now = family.sample()
            if time.monotonic() > end or all(k in now and (now[k] == v if k == "processes" else now[k] <= v) for k, v in wanted.items()):
                return now
            time.sleep(0.2)

    held = ["keeper.fds", "keeper.threads", "recorder.fds", "recorder.threads", "worker.fds", "worker.threads", "zombies", "files", "processes"]
    self_test(ok)
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
        more = measured if k == "recorder.fds" else 0
        least = before[k] if k == "processes" else min(before[k], 1)  # a reload may have been under way before
        ok(least <= after.get(k, 0) <= before[k] + more, f"afterwards {k} is no more than before ({after.get(k)}, {before[k]})")
    ok(family.stop() == 0, "and the family stops")
    if tap.failed:
        print("\n".join("# " + line for line in read(family.top + "/log").splitlines()[-30:]))
    family.remove()
    return tap.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--checks", type=int, default=2000)
    parser.add_argument("--evil", type=float, default=2)
    parser.add_argument("--every", type=float, default=3)
    parser.add_argument("--out", default=".")
    parser.add_argument("--reload", type=float, default=60)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--bounds", type=float)
    o = parser.parse_args()
    if o.self_test:
        tap = Tap()
        self_test(tap.ok)
        sys.exit(tap.end())
    sys.exit(bounds(o.bounds) if o.bounds else soak(o))


main()
