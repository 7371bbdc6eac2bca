#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A journal of many records: how large, how long questions take, how long verify and a start take.
#     bash tests/bench/journal.sh [RECORDS [DAYS]]        # 10000000 over 100 days; needs 6 GB where TMPDIR is
# The folder is made under TMPDIR and removed. BENCH_STATE=DIR takes a state folder made before and keeps it.
set -eu
records=${1:-10000000} days=${2:-100}
top=${top_builddir:-$PWD}
work=$(mktemp -d "${TMPDIR:-/tmp}/belfry-bench-XXXXXX")
state=${BENCH_STATE:-$work/state}
daemon=
finish() { [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT
seconds() { local TIMEFORMAT=%R; { time "$@" >"$work/out" 2>&1 || true; } 2>&1; }

mkdir -p "$state" "$work/run"
if [ ! -d "$state/journal" ]; then
    free=$(df --output=avail -B1 "$state" | tail -1)
    [ "$free" -gt $((records * 600)) ] || { echo "not enough room in '$state'"; exit 77; }
    took=$(seconds "$top/tests/bench/bench_journal" "$state/journal" "$records" "$days")
    echo "made: $took s"
fi
echo "journal: $(find "$state/journal" -name '*.gz' | wc -l) compressed files, $(du -sm "$state/journal" | cut -f1) MB," \
    "indexes $(du -cm "$state"/journal/*.idx | tail -1 | cut -f1) MB"
printf 'state_dir = "%s"; run_dir = "%s"; conf_dir = "%s"; plugin_dirs = [ "%s" ];\n' "$state" "$work/run" "$work/conf" \
    "$work/plugins" >"$work/belfry.conf"
mkdir -p "$work/conf" "$work/plugins"
belfry() { "$top/belfry" -c "$work/belfry.conf" "$@"; }
since=$(date -d "-$((days / 2)) days" '+%Y-%m-%d %H:%M') until=$(date -d "-$((days / 2 - 1)) days" '+%Y-%m-%d %H:%M')
ask() {
    local what=$1 took
    shift
    took=$(seconds belfry journal query --since "$since" --until "$until" "$@")
    echo "query of one day, $what: $took s, $(wc -l <"$work/out") records"
}
ask "all" -o json
ask "type" --type breaker.
ask "service" --service shop77
ask "check" --service shop77/server3
ask "text" --text "10.1.77.3:6379 answered after 77"
ask "service, type and text" --service shop77 --type check.state --text "after 4"
ask "the last 20" -n 20
echo "verify: $(seconds belfry journal verify) s, $(tail -1 "$work/out")"

# until the control socket answers
start() {
    rm -f "$work/run"/*
    "$top/belfryd" -c "$work/belfry.conf" >"$work/log" 2>&1 &
    daemon=$!
    for _ in $(seq 60000); do
        belfry breaker list >/dev/null 2>&1 && return
        kill -0 "$daemon" 2>/dev/null || { cat "$work/log"; exit 1; }
        sleep 0.01
    done
}
stop() {
    kill "$daemon"
    while kill -0 "$daemon" 2>/dev/null; do sleep 0.05; done
    daemon=
}
rm -f "$state/state/snapshot.json"
echo "start without a snapshot: $(seconds start) s"
daemon=$(cat "$state/lock")
grep 'records read' "$work/log" | sed 's/^/    /' | head -3 || true
stop
echo "start by snapshot and tail: $(seconds start) s"
daemon=$(cat "$state/lock")
stop
