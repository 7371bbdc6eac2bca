# SPDX-License-Identifier: GPL-3.0-or-later
# gallery_weeks.sh - the graphs of the gallery that need more time than anybody waits: sourced by gallery.sh. Samples and history are made
# up; the samples are recorded by the real recorder, and drawn as any others.
weeks_until=1795219200 # so that the pictures stay the same when they are made again
feed_weeks() {
    /usr/bin/python3 - "$weeks_until" <<'PY' | "$top_builddir/tests/peers/feed_samples" "$top_builddir/belfry-recorder" "$scratch/weeks" >/dev/null 2>&1
import math, random, sys
until = int(sys.argv[1])
random.seed(3)
print("series 0 shop/web - 300 time_total,s requests,/s")
for t in range(until - 366 * 86400, until + 1, 300):
    age = (until - t) / 86400
    hour = t % 86400 / 3600
    week = (t // 86400 + 3) % 7  # 0: Monday
    busy = (0.12 + math.exp(-((hour - 19.5) / 3.2) ** 2) + 0.6 * math.exp(-((hour - 11) / 3.5) ** 2)) * (1.35 if week > 4 else 1)
    grown = 1 + 0.9 * (366 - age) / 366 + 0.8 * math.exp(-((age - 330) / 9) ** 2)  # a year's growth, and Christmas
    down = 3.30 < age < 3.42 or 121.2 < age < 122.1
    gap = 9.0 < age < 9.3
    requests = 0 if down else 120 * busy * grown * random.uniform(0.9, 1.1)
    slow = 1.8 if 1.15 < age < 2.1 else 1  # since the deployment, until it was taken back
    time = (0.045 + 0.00028 * requests) * slow * random.uniform(0.92, 1.12)
    if not gap:
        print(0, t, "U" if down else f"{time:.5f}", f"{requests:.3f}")
PY
}
# Between which times nobody looked, what the states were, and the marks, in days before the end.
make_history() {
    /usr/bin/python3 - "$weeks_until" <<'PY' >"$scratch/weeks.history"
import json, sys
until = int(sys.argv[1])
at = lambda age: round(until - age * 86400)
states = [(370, "OK"), (122.1, "CRITICAL"), (121.2, "OK"), (9.3, None), (9.0, "OK"), (3.42, "CRITICAL"), (3.30, "OK"), (2.08, "WARNING"), (1.14, "OK")]
marks = [(330, "note", "Christmas sale"), (200, "note", "deploy 3.0"), (122.1, "bad", "CRITICAL"), (3.42, "bad", "incident 41"), (3.30, "good", "resolved 41"),
         (2.1, "note", "deploy 3.4"), (1.15, "note", "deploy 3.4.1")]
json.dump({"states": [{"at": at(a), "state": s} for a, s in states],
           "blind": [{"from": at(9.3), "until": at(9.0), "text": "belfryd was down"}],
           "marks": [{"at": at(a), "kind": k, "label": l, "text": ""} for a, k, l in marks]}, sys.stdout)
PY
}
draw_weeks() { # NAME DAYS ARGUMENT...
    for theme in light dark; do
        "$top_builddir/belfry-graph" --rrd "$scratch/weeks" --check shop/web --since $((weeks_until - $2 * 86400)) --until "$weeks_until" \
            --history "$scratch/weeks.history" --theme "$theme" --format svg --out "$out/$1-$theme.svg" "${@:3}" || failed=1
    done
}
feed_weeks
make_history
draw_weeks week 7 --draw time_total --compare $((7 * 86400))
draw_weeks usual 3 --draw time_total --baseline always
draw_weeks year 365 --draw requests --percentile 95 --size report
