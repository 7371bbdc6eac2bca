#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# family.sh [CHECKS] [SECONDS]: CPU time of one null check through the whole family (keeper, worker, recorder; all processes), at CHECKS
# checks a second. The target is 15 us.
. "${top_srcdir:?run it by make check}/tests/lib.sh" || exit 1
checks=${1:-10000} seconds=${2:-20}
mkdir -p "$scratch/plugins"
${CC:-cc} -O2 -shared -fPIC -I"$top_srcdir/include" "$top_srcdir/tests/bench/null.c" -o "$scratch/plugins/null.so" || exit 1
mkdir "$scratch/conf.d"
{
    echo 'services: {'
    for ((s = 0; s < checks / 100; s++)); do
        echo "  s$s: { checks: {"
        for ((c = 0; c < 100; c++)); do echo "    c$c: { plugin = \"null\"; };"; done
        echo '  }; };'
    done
    echo '};'
} >"$scratch/conf.d/null.conf"
write_conf <<CONF
defaults: { every = "1s"; timeout = "1s"; };
CONF
start_belfryd || exit 1
runs() { b -o json plugins >/dev/null; b -o json status s0 | /usr/bin/python3 -c 'import json, sys; d = json.load(sys.stdin)["daemon"]; print(d["runs"], d["missed"], d["lag_ms"])'; }
sleep 8
read -r runs0 missed0 _ < <(runs)
cpu0=$(/usr/bin/python3 "$top_srcdir/tests/bench/cpu.py" "$belfryd_pid")
sleep "$seconds"
cpu1=$(/usr/bin/python3 "$top_srcdir/tests/bench/cpu.py" "$belfryd_pid")
read -r runs1 missed1 lag < <(runs)
/usr/bin/python3 - "$runs0" "$runs1" "$missed0" "$missed1" "$cpu0" "$cpu1" "$seconds" "$lag" <<'PY'
import sys
r0, r1, m0, m1, c0, c1, s, lag = map(float, sys.argv[1:])
print(f"{(r1 - r0) / s:.0f} checks/s, {m1 - m0:.0f} missed, lag {lag:.0f} ms, {(c1 - c0) / s * 100:.1f} % of one CPU")
print(f"{(c1 - c0) / (r1 - r0) * 1e6:.2f} us of CPU per check, all processes together (target: 15)")
PY
for pid in $belfryd_pid $(pgrep -P "$belfryd_pid"); do
    printf '%-16s rss %s kB, cpu %s s\n' "$(cat "/proc/$pid/comm")" "$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")" \
        "$(/usr/bin/python3 "$top_srcdir/tests/bench/cpu.py" "$pid")"
done
stop_belfryd
cleanup
trap - EXIT
