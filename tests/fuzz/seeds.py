#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""seeds.py FOLDER: writes the first inputs of each fuzz target into FOLDER/NAME, one a file, named after what they show.
The kept corpus was begun with them; what fuzzing found was added (FUZZ_KEEP=1)."""
import hashlib
import json
import os
import struct
import sys

top = sys.argv[1]


def put(target, name, data):
    os.makedirs(os.path.join(top, target), exist_ok=True)
    with open(os.path.join(top, target, name), "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)


# ---- ranges
for i, text in enumerate(["10", "10:", "~:10", "10:20", "@10:20", "1:1", ":5", "-1.5:2e3", "2:1", "@~:0", "1e308:1e309", "0x10",
                          "nan", "inf", "10%", "", ":", "@", "~", "0.1:0.30000000000000004", "-0:0", "1e-320", " 1", "1:2:3",
                          "> 2 x median 7d", "< 0.5 x p5 7d", "> p95 7d", ">2 x median 30d", "> 1e308 x p95 7d", "< 0 x median 7d"]):
    put("range", f"range-{i:02}", text)

# ---- performance data: a byte whether ranges are thresholds, then what a plugin prints
for i, text in enumerate([
        "OK - fine | time=0.5s;1;2;0;10 size=100B;;;0",
        "OK | 'a b'=1;@1:2;~:3 'it''s'=2 c=3c\nlong text | more=4%\nlast=5",
        "DISK WARNING - / 90 %|/=90%;80;95;0;100 /home=1e3KB;U;U", "x|a=U", "x | =1 a= b=1,5 c=1;2;3;4;5;6",
        "no data at all", "", "\n\n|a=1", "OK|a=1\ttab=2\r\nb=3", "x | \xff\xfe=1 \u00e9=2ms", "| a=-1.5e+10c;-1:;:5;~;@",
        "x | " + " ".join(f"m{n}={n}" for n in range(300)), "x | " + "l" * 200 + "=1", "first\nsecond\n\nthird|x=1\n'y'=2 z=3",
        "OK: a|b|c=1", "x | a=1e400 b=-1e400 c=1e-400", "x|'unterminated=1 b=2"]):
    put("perfdata", f"perfdata-{i:02}", b"\1" + text.encode("utf-8", "surrogateescape"))
    put("perfdata", f"shown-{i:02}", b"\0" + text.encode("utf-8", "surrogateescape"))

# ---- configurations
base = 'state_dir = "s"; run_dir = "r"; plugin_dirs = [ "p" ];\n'
configs = {
    "small": base + 'services: { web: { checks: { page: { plugin = "http"; url = "https://a.example/"; }; }; }; };',
    "each": base + 'services: { web: { checks: { p: { plugin = "tcp"; port = 1; host = "$h"; each = { h = [ "a", "b" ]; }; }; }; }; };',
    "levels": base + 'defaults: { every = "60s"; timeout = "10s"; retry = { attempts = 3; backoff = [ "1s", "4s" ]; }; };\n'
              'templates: { crit: { every = "20s"; severity = "sev1"; }; };\nservices: { a: { use = "crit"; checks: { b: { plugin = "null"; }; }; }; };',
    "breaker": base + 'breakers: { api: { failures = 5; open = "30s"; open_max = "5m"; }; };\n'
               'services: { a: { checks: { b: { plugin = "null"; breaker = "api"; }; c: { plugin = "null"; breaker = { failures = 2; }; }; }; }; };',
    "thresholds": base + 'services: { a: { checks: { b: { plugin = "http"; url = "http://x/"; thresholds = { size = { warn = "1:"; crit = "@1:2"; }; '
                  'time_total = { crit = ""; }; }; }; }; }; };',
    "list": base + 'services: ( { name = "a"; checks = ( { name = "b"; plugin = "exec"; command = ( "/bin/true", 5 ); env = { A = "b"; }; } ); } );',
    "secret": base + 'services: { a: { checks: { b: { plugin = "http"; url = "http://x/"; password = "@web"; }; }; }; };',
    "depends": base + 'services: { a: { depends = [ "b" ]; checks: { x: { plugin = "null"; }; }; }; b: { depends = [ "a" ]; checks: { y: { plugin = "null"; }; }; }; };',
    "journal": base + 'journal: { segment = "16MiB"; };\nseries: { archives = ( { point = "step"; keep = "2d"; } ); };\nplugins: { tcp: { workers = 2; concurrency = 10; }; };',
    "mistakes": base + 'servces: { }; defaults: { evry = "60s"; timeout = 10; every = "5 parsecs"; };\nservices: { a: { checks: { b: { plugin = "htp"; }; b: { }; }; }; };',
    "brackets": base + "services: { a: { checks: { b: { plugin = ( [ { x = 1; } ] ); };", "values": base + 'x = 0x7f; y = 1e400; z = -9223372036854775809; w = true; v = 007; u = 1.5L; t = 12345678901234L;',
    "strings": base + 'a = "\\x41\\n\\t\\"\\\\" "joined"; /* c */ # d\n// e\nb = "\\q\\x00";', "empty": "", "nul": base + "a = 1;\0b = 2;",
    "deep": base + "x = " + "( " * 40 + ") " * 40 + ";", "utf8": base + 'services: { "\u00e9": { title = "\u20ac \xff"; }; };', "double": base + base,
}
for name, text in configs.items():
    put("config", name, text.encode("utf-8", "surrogateescape"))


# ---- frames
def u32(n):
    return struct.pack("<I", n)


def text(t):
    return u32(0xFFFFFFFF) if t is None else u32(len(t)) + t.encode()


def frame(kind, payload):
    return struct.pack("<IHH", len(payload), kind, 0xB1F1) + payload


def task(name, options):
    out = text(name) + u32(len(options))
    for key, values in options:
        is_map = isinstance(values, dict)
        out += text(key) + bytes([is_map]) + u32(len(values))
        for value in values.items() if is_map else values:
            out += text(value[0]) + text(value[1]) if is_map else text(value)
    return out


def kept(values):
    return u32(len(values)) + b"".join(text(k) + text(v) for k, v in values)


def run(number, slot, timeout=1000, values=()):
    return frame(3, struct.pack("<QII", number, slot, timeout) + kept(values))


good = task("shop/web", [("port", ["80"]), ("names", ["a", "b"]), ("pairs", {"k": "v", "last": "x"})])
worker = {
    "one": frame(1, u32(0) + good) + run(1, 0), "kept": frame(1, u32(1) + good) + run(2, 1, 5, [("last", "x"), ("rate", "1 2")]),
    "unknown": run(3, 7), "refused": frame(1, u32(2) + task("a/b", [("port", ["x"])])) + run(4, 2), "forget": frame(1, u32(0) + good) + frame(2, u32(0)) + run(5, 0),
    "stop": frame(4, b"") + frame(5, struct.pack("<Q", 9)), "ping": frame(5, struct.pack("<Q", 1)),
    "many": frame(1, u32(0) + good) + b"".join(run(n, 0) for n in range(1, 20)), "again": frame(1, u32(0) + good) * 3 + run(1, 0),
    "mark": struct.pack("<IHH", 0, 4, 0), "long": struct.pack("<IHH", 0xFFFFFFF, 1, 0xB1F1), "far": frame(1, u32(1 << 19) + good),
    "timeout": frame(1, u32(0) + good) + run(1, 0, 0), "short": frame(3, b"\0" * 8), "half": frame(1, u32(0) + good)[:-3],
}
for name, data in worker.items():
    put("worker", name, data)


# what core/model encodes: result.c, plugin.c, series.c
def metric(part, name, value, kind=0, warn=None):
    return text(part) + text(name) + text("s") + struct.pack("<dBB", value, kind, 0) + text(warn) + text(None) + text("0") + text(None)


def result(end=0, state=0, text_="fine", metrics=(), parts=(), events=(), values=()):
    return (bytes([end, state, 5]) + u32(1500) + text(text_) + text("detail\nmore") + u32(len(metrics)) + b"".join(metrics) +
            u32(len(parts)) + b"".join(text(n) + bytes([s]) + text(t) for n, s, t in parts) + u32(len(events)) +
            b"".join(text(a) + text(b) + text(c) for a, b, c in events) + kept(values))


def info(views=b"\0\0\0\0"):
    option = text("port") + text("A port") + text("80") + text("25") + u32(PORT) + bytes([1]) + u32(0)
    choice = text("mode") + text("A mode") + text("a") + text(None) + u32(0) + bytes([0]) + u32(2) + text("a") + text("b")
    value = text("value") + text("B") + text("A value") + text("10") + text("~:20") + text("0") + text(None) + u32(0)
    return (text("demo") + text("1.0") + text("A plugin") + text("Words.") + text("/p/demo.so") + struct.pack("<QIB", 42, 1, 0) +
            u32(2) + option + choice + u32(1) + value + views)


PORT = 8
VIEW = u32(1) + text("all") + text("All") + text("value") + text(None) + bytes([0, 0])


def series(views=b"\0\0\0\0"):
    source = text("value") + bytes([0]) + struct.pack("<dd", float("nan"), 5.0) + text("B") + text("10") + text(None)
    return text("shop/web") + text("part") + u32(60) + u32(150) + u32(1) + source + u32(1) + u32(60) + u32(86400) + views


results = {
    "ok": result(), "critical": result(state=2, text_="down"), "crashed": result(end=2), "misuse": result(end=4, state=3),
    "metrics": result(metrics=[metric(None, "value", 7.0, 0, "1:5"), metric(None, "total", float("nan"), 1)]),
    "parts": result(parts=[("a", 0, "x"), ("b", 2, "y")], metrics=[metric("a", "time", 1.5)]),
    "events": result(events=[("restarted", None, "container web restarted")], values=[("k", "v")]), "state": result(state=9),
}
for name, data in results.items():
    put("results", name, frame(18, struct.pack("<QI", 1000, 0) + data))
    put("results", name + "-twice", frame(18, struct.pack("<QI", 1000, 0) + data) + frame(18, struct.pack("<QI", 1001, 1) + data))
    put("frames", "result-" + name, frame(18, data))
put("results", "rejected", frame(17, text("/p/x.so") + text("why")))
put("results", "log", frame(19, b"\2" + text("shop/web") + text("a line")))
put("results", "pong", frame(20, struct.pack("<Q", 1)))
put("results", "stranger", frame(18, struct.pack("<QI", 5, 77) + result()))
for kind in range(12):
    PORT = kind
    put("frames", f"info-{kind}", frame(16, info()))
put("frames", "info-view", frame(16, info(VIEW)))
put("frames", "catalog", frame(21, text("/p/demo.so") + struct.pack("<Q", 42) + info()))
put("frames", "series", frame(32, series()))
put("frames", "series-view", frame(32, series(VIEW)))
put("frames", "task", frame(1, good))
put("frames", "kept", frame(3, kept([("a", "b"), ("c", "")])))
put("frames", "rejected", frame(17, text("/p/x.so") + text("why")))
put("frames", "two", frame(1, good) + frame(18, result()))
put("frames", "torn", frame(1, good) + frame(18, result())[:-1])
put("frames", "mark", frame(1, good) + b"\0" * 8)

# ---- control socket
requests = [{"verb": "status"}, {"verb": "status", "service": "shop"}, {"verb": "status", "service": "none"}, {"verb": "query", "subject": "shop/web"},
            {"verb": "query"}, {"verb": "run", "check": "shop/port"}, {"verb": "run", "check": "db/idle"}, {"verb": "run"}, {"verb": "reload"},
            {"verb": "breaker", "action": "list"}, {"verb": "breaker", "action": "open", "name": "cloud"}, {"verb": "breaker", "action": "auto", "name": "cloud"},
            {"verb": "breaker", "action": "close", "name": "shop/port"}, {"verb": "breaker", "action": "fly"}, {"verb": "plugins"}, {"verb": "none"}, {}, {"verb": 5}]
for i, request in enumerate(requests):
    put("control", f"request-{i:02}", "l" + json.dumps(request))
put("control", "several", "l" + "\n".join(json.dumps(r) for r in requests))
for i, line in enumerate(["[]", "", "{", "null", '{"verb":"status","verb":"status"}', '{"verb":"stat\\u0000us"}', '{"verb":"status","service":"\\ud800"}', "[" * 3000]):
    put("control", f"odd-{i}", "l" + line)
put("control", "bytes", b"b" + frame(64, text('{"verb":"plugins"}')) + b"rest")
put("control", "other-type", b"b" + frame(1, b""))
put("control", "huge", b"b" + struct.pack("<IHH", 47 << 20, 64, 0xB1F1) + b"x" * 100)
put("control", "many", "l" + "\n".join(['{"verb":"breaker"}'] * 300))

# ---- journal
ZEROS, JOURNAL = "0" * 64, "0123456789abcdef" * 2


class Journal:
    def __init__(self):
        self.seq, self.prev, self.lines = 0, ZEROS, []

    def add(self, kind, members="", seq=None):
        self.seq = seq or self.seq + 1
        line = f'{{"seq":{self.seq},"at":"2026-11-21T10:31:07.123Z","type":"{kind}","who":"keeper","prev":"{self.prev}"' + ("," + members if members else "")
        self.prev = hashlib.sha256(line.encode()).hexdigest()
        self.lines.append(f'{line},"hash":"{self.prev}"}}\n')
        return self

    def segment(self, previous=None, **more):
        name = f'"{previous:020}.jsonl","end":"{self.prev}"' if previous else 'null,"end":null'
        return self.add("journal.segment", f'"version":{more.get("version", 1)},"journal":"{more.get("journal", JOURNAL)}","previous":{name}', more.get("seq"))

    def take(self):
        lines, self.lines = self.lines, []
        return "".join(lines)


STATE = '"check":"shop/web","from":"OK","to":"CRITICAL","kind":"hard","attempt":3,"attempts":3,"text":"down"'


def two():
    j = Journal()
    first = j.segment().add("daemon.started", '"version":"0.1","text":"x"').add("check.state", STATE).take()
    return first, j.segment(1).add("breaker.open", '"breaker":"cloud","failures":5,"ms":30000,"text":"refused"').add("check.flapping", '"check":"a/b","on":true,"percent":30.5').take()


first, second = two()
journals = {
    "one": first, "two": first + "\f" + second, "torn": first + second.splitlines()[1][:50], "torn-second": first + "\f" + second[:-30],
    "empty-second": first + "\f", "empty": "", "garbage": "garbage\n" + first, "swapped": first + "\f" + "".join(reversed(second.splitlines(True))),
    "gap": "".join(first.splitlines(True)[:1] + first.splitlines(True)[2:]), "repeated": first + first.splitlines(True)[2], "flipped": first.replace("down", "dowm"),
    "version": Journal().segment(version=2).add("daemon.started").take(), "id": first + "\f" + second.replace(JOURNAL, "f" * 32), "no-head": Journal().add("check.state", STATE).take(),
    "far": Journal().segment(seq=999999999999999990).take(), "long": first + "x" * 300 + "\n", "nul": first + "\0" * 64, "newline": first + "\n",
    "sealed": Journal().segment().add("journal.sealed", f'"epoch":1,"every":900,"why":"begin","mac":"{"a" * 64}"').add("daemon.stopped", '"text":"SIGTERM"')
    .add("journal.sealed", f'"epoch":2,"every":900,"why":"stop","mac":"{"b" * 64}"').take(),
    "all-events": Journal().segment().add("part.state", STATE + ',"part":"p"').add("check.added", '"check":"a/b"').add("command.done", '"name":"x","by":"uid:0","text":"y"')
    .add("clock.stepped", '"ms":-5').add("journal.recovered", '"path":"x","text":"y"').add("breaker.held", '"breaker":"c","name":"open","by":"uid:0"').take(),
    "odd-json": Journal().segment().add("check.state", '"check":{"a":[1,2]},"from":5,"text":"\\ud83d"').take(),
}
for name, data in journals.items():
    for letter in "rhc":
        put("journal", f"{name}-{letter}", letter + data)


# ---- indexes: what stands between the mark and the checksum, or a whole file
def number(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def index(blocks, keys):
    """blocks: (compressed, bytes, lines, records); keys: (key, list of blocks)"""
    out, lists = struct.pack("<II", len(blocks), len(keys)), b""
    for packed, size, lines, records in blocks:
        out += b"".join(number(n) for n in (packed, size, lines, records))
        out += b"".join(number(n) for n in (2, records, 7, 1000)) if records else b""
    for key, where in keys:
        out += struct.pack("<II", key, len(lists))
        lists += b"".join(number(n - before) for n, before in zip(where, [0, *where]))
    return out + lists


def key(kind, text):
    value = (0xCBF29CE484222325 ^ kind) * 0x100000001B3 % 2**64
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return (value ^ value >> 32) % 2**32


found = sorted((key(kind, text), [1, 2, 4, 6]) for kind, text in ((0, "check.state"), (0, "check."), (0, "breaker."), (1, "shop"), (1, "shop/web"), (1, "rare")))
whole = [(300, 380, 1, 1)] + [(1650, 8100, 21, 21)] * 7
for name, data in {"usual": index(whole, found), "none": index([], []), "no-keys": index(whole, []), "no-records": index([(300, 380, 1, 0)] * 3, found),
                   "long": index([(1 << 20, 1 << 20, 1 << 20, 1 << 40)] * 3, found), "many": struct.pack("<II", 1 << 31, 1 << 31), "beyond": index(whole[:2], found)}.items():
    put("index", name, b"h" + data)
put("index", "raw", b"rbelfryX2" + b"\0" * 80)


# ---- RRD headers and legends
def rrd(sources=2, archives=3, rows=4, name=b"value", kind=b"GAUGE", function=b"AVERAGE", step=60, last=1795257000, pointer=0):
    out = struct.pack("<4s5s7xd", b"RRD\0", b"0003\0", 8.642135e130) + struct.pack("<QQQ", sources, archives, step)
    out = out.ljust(128, b"\0")
    for i in range(sources):
        out += struct.pack("<20s20sQdd56x", name + b"%d" % i, kind, 150, float("nan"), float("nan"))
    for _ in range(archives):
        out += struct.pack("<20s4xQQd72x", function, rows, 1, 0.5)
    out += struct.pack("<qQ", last, 0) + b"U".ljust(112, b"\0") * sources + b"\0" * 80 * archives * sources
    return out + struct.pack("<Q", pointer) * archives + struct.pack("<d", 1.5) * (rows * archives * sources)


for name, data in {"good": rrd(), "one": rrd(1, 1, 1), "name": rrd(name=b"a b"), "kind": rrd(kind=b"COMPUTE"), "function": rrd(function=b"HWPREDICT"), "step": rrd(step=0),
                   "future": rrd(last=1 << 40), "pointer": rrd(pointer=9), "short": rrd()[:-8], "long": rrd() + b"x", "minmax": rrd(function=b"MAX"), "text": b"RRD\0", "": b""}.items():
    put("rrd", "header-" + (name or "nothing"), b"h" + data)
legend = {"version": 1, "check": "shop/web", "part": None, "step": 60,
          "metrics": [{"name": "time_total", "source": "time_total", "unit": "s", "warn": "1", "crit": "3", "kind": "gauge", "live": True}],
          "views": [{"name": "time", "title": "Time", "metrics": "time_*", "limit": None, "style": "lines", "parts": False}]}
for name, data in {"good": legend, "part": {**legend, "part": "a b"}, "none": {}, "list": [], "metrics": {**legend, "metrics": [{}] * 3}, "views": {**legend, "views": [5]}}.items():
    put("rrd", "legend-" + name, "l" + json.dumps(data))
put("rrd", "legend-text", "l{")
