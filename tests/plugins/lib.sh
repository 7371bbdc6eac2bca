# SPDX-License-Identifier: GPL-3.0-or-later
# lib.sh - what the plugins' test scripts share: TAP, running a plugin, peers, a scratch folder. Sourced.
top_builddir=${top_builddir:-.}
top_srcdir=${top_srcdir:-.}
drive="$top_builddir/tests/plugins/drive"
plugins="$top_builddir/plugins/.libs"
export LC_ALL=C # bytes that are no text pass through
count=0
failed=0
scratch=$(mktemp -d)
own_pids=()

clean_up() {
    local pid
    for pid in "${own_pids[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT

ok() { # ok RESULT NAME [WHY]
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
    else
        failed=$((failed + 1))
        echo "not ok $count - $2"
        [ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/# /'
    fi
}
skip() { # skip NAME REASON
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}
is() { # is GOT WANT NAME
    local good=1
    [ "$1" = "$2" ] && good=0
    ok $good "$3" "got  '$1'
want '$2'"
}
like() { # like TEXT REGEX NAME
    local good=1
    [[ "$1" =~ $2 ]] && good=0
    ok $good "$3" "got  '$1'
want something like '$2'"
}
plan_done() {
    echo "1..$count"
    exit $((failed != 0))
}
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
    local tries=$(($1 * 50))
    shift
    until "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.02
    done
}

# read_result FILE: out, verdict ("STATE reached"), text, elapsed
read_result() {
    out=$(cat "$1")
    verdict=$(sed -n 's/^state \(.*\) reached \(.*\)/\1 \2/p' "$1")
    text=$(sed -n 's/^text //p' "$1")
    elapsed=$(sed -n 's/^elapsed_ms //p' "$1")
}
# run_plugin NAME ARGUMENTS...: options of drive first
run_plugin() {
    local options=() plugin
    while [ "${1#-}" != "$1" ]; do
        options+=("$1" "$2")
        shift 2
    done
    plugin=$1
    shift
    "$drive" "${options[@]}" "$plugins/$plugin.so" "$@" > "$scratch/result" 2> "$scratch/errors"
    read_result "$scratch/result"
    [ ! -s "$scratch/errors" ] || out="$out
$(cat "$scratch/errors")"
}
metric() { # metric NAME: its value in $out
    printf '%s\n' "$out" | awk -v name="$1" '$1 == "metric" && $2 == name { print $3 }'
}
# No line of the host about a broken rule, no sanitizer's report.
clean() {
    local bad
    bad=$(printf '%s\n' "$out" | grep -E '^misuse|ERROR: |runtime error:|Sanitizer')
    is "$bad" "" "$1"
}

declare -A port
# start_peer [CERTIFICATES]: fills port[MODE]
start_peer() {
    local name number
    mkfifo "$scratch/hold"
    /usr/bin/python3 "$top_srcdir/tests/plugins/peer.py" "$@" < "$scratch/hold" > "$scratch/ports" 2> "$scratch/peer.log" &
    own_pids+=($!)
    exec 9> "$scratch/hold"
    wait_for 20 grep -q '^ready' "$scratch/ports" || return 1
    while read -r name number; do
        port[$name]=$number
    done < "$scratch/ports"
}

# run_table PLUGIN LIMIT_MS: standard input has "mode|state reached|regex|arguments" lines; '@' in the arguments is the
# mode's port. Eight run at once; each must end within its limit and half a second.
run_table() {
    local plugin=$1 limit=$2 line mode want regex arguments n=0 i
    local -a lines pids
    while IFS= read -r line; do
        case $line in '' | '#'*) continue ;; esac
        lines+=("$line")
    done
    for line in "${lines[@]}"; do
        IFS='|' read -r mode want regex arguments <<< "$line"
        if [ -n "${port[$mode]}" ]; then
            # shellcheck disable=SC2086
            "$drive" -t "$limit" "$plugins/$plugin.so" ${arguments//@/${port[$mode]}} > "$scratch/row.$n" 2>&1 &
            pids[n]=$!
        fi
        n=$((n + 1))
        [ $((n % 8)) -ne 0 ] || wait "${pids[@]}"
    done
    wait "${pids[@]}"
    for ((i = 0; i < n; i++)); do
        IFS='|' read -r mode want regex arguments <<< "${lines[i]}"
        if [ -z "${port[$mode]}" ]; then
            skip "$plugin, $mode" "the peer lacks it (is faketime installed?)"
            continue
        fi
        read_result "$scratch/row.$i"
        local good=1 name="$plugin, $mode${arguments:+ (${arguments//@/PORT})}: $want"
        [ "$verdict" = "$want" ] && [[ "$text" =~ $regex ]] && [ "${elapsed:-999999}" -le $((limit + 500)) ] &&
            ! grep -qE '^misuse|ERROR: |runtime error:' "$scratch/row.$i" && good=0
        ok $good "$name" "want $want within $((limit + 500)) ms, like '$regex'
$out"
    done
}
