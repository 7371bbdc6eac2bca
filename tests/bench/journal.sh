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
    echo "made: $took s; $(tail -1 "$work/out")"
fi
bytes() { cat "$@" | wc -c; }
packed=$(bytes "$state"/journal/*.gz) indexes=$(bytes "$state"/journal/*.idx)
echo "journal: $(find "$state/journal" -name '*.gz' | wc -l) compressed files, $((packed / 1000000)) MB," \
    "indexes $((indexes / 1000000)) MB ($((indexes * 1000 / packed)) per mille)"
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
# a year of one check, as records and as a picture of its values with states and marks: the least of ROUNDS, and what came
year() {
    local indexes=$1 rounds=$2 what took
    for what in "journal query --service shop77/server3 -o json" "journal query --service shop77 -o json" \
        "graph shop77/server3 time_total --size report -o $work/year.svg"; do
        # shellcheck disable=SC2086
        took=$(for _ in $(seq "$rounds"); do seconds belfry $what --since "$year" --until "$hour"; done | sort -g | head -1)
        [ "${what%% *}" != graph ] || cp "$work/year.svg" "$work/out"
        echo "a year, ${what%% -o*}, $indexes: $took s (sha256 $(sha256sum <"$work/out" | cut -c1-16))"
    done
}
now=$(($(date +%s) / 3600 * 3600))
hour=$(date -d "@$now" '+%Y-%m-%d %H:%M') year=$(date -d "@$((now - 365 * 86400))" '+%Y-%m-%d %H:%M')
mkdir -p "$state/rrd"
{
    echo "series 0 shop77/server3 - 3600 time_total,s"
    for at in $(seq $((now - 366 * 86400)) 3600 "$now"); do echo "0 $at 0.$((at / 3600 % 24 + 10))"; done
} | "$top/tests/peers/feed_samples" "$(realpath "$top/belfry-recorder")" "$state/rrd" >"$work/fed" 2>&1
year "with indexes" 5
mkdir "$state/aside"
mv "$state"/journal/*.idx "$state/aside/"
year "without" 1
mv "$state"/aside/*.idx "$state/journal/"
rmdir "$state/aside"
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
