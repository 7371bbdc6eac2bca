#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# graph.sh [ROUNDS] - how long one picture takes, process start included: a report of a year (with states, marks, an earlier time and a
# percentile), a usual day, and a sparkline; wall clock, and CPU, which a busy machine does not change much. Median of ROUNDS.
. "${top_srcdir:?run it by make bench}/tests/lib.sh" || exit 1
until=$(($(date +%s) / 300 * 300))
rounds=${1:-21}
/usr/bin/python3 - "$until" <<'PY' | "$top_builddir/tests/peers/feed_samples" "$top_builddir/belfry-recorder" "$scratch/rrd" >/dev/null 2>&1
import math, random, sys
until = int(sys.argv[1])
random.seed(1)
print("series 0 shop/web - 300 time_total,s requests,/s errors,/s")
for t in range(until - 366 * 86400, until, 300):
    day = 0.5 + 0.5 * math.sin(t / 86400 * 2 * math.pi)
    print(0, t, 0.05 + 0.1 * day * random.random(), 40 + 200 * day, random.random())
PY
/usr/bin/python3 - "$until" >"$scratch/history" <<'PY'
import json, random, sys
until = int(sys.argv[1])
random.seed(1)
times = sorted(random.randrange(until - 365 * 86400, until) for _ in range(2000))
json.dump({"states": [{"at": t, "state": random.choice(["OK", "OK", "WARNING", "CRITICAL"])} for t in times],
           "blind": [{"from": t, "until": t + 7200, "text": "belfryd was down"} for t in times[::100]],
           "marks": [{"at": t, "kind": "note", "label": "deploy", "text": ""} for t in times[::20]]}, sys.stdout)
PY
# measure NAME ARGUMENT...
measure() {
    /usr/bin/python3 - "$rounds" "$@" <<'PY'
import os, resource, statistics, subprocess, sys, time
rounds, name, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
walls, cpus = [], []
for _ in range(rounds):
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    walls.append(time.monotonic() - begun)
    cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
print(f"{name}: median {1000 * statistics.median(walls):.1f} ms, least {1000 * min(walls):.1f} ms; CPU {1000 * statistics.median(cpus):.1f} ms")
PY
}
graph=("$top_builddir/belfry-graph" --rrd "$scratch/rrd" --check shop/web --until "$until")
for format in svg png; do
    measure "a year for a report, as $format" "${graph[@]}" --draw time_total --since $((until - 365 * 86400)) --size report --compare 604800 --percentile 95 \
        --history "$scratch/history" --format $format --out "$scratch/x.$format"
done
measure 'a day, as svg' "${graph[@]}" --draw time_total --since $((until - 86400)) --format svg --out "$scratch/x.svg"
for format in svg png; do
    measure "a sparkline of a day, as $format" "${graph[@]}" --draw time_total --since $((until - 86400)) --size thumb --format $format --out "$scratch/x.$format"
done
cleanup
trap - EXIT
