# SPDX-License-Identifier: GPL-3.0-or-later
# lib.sh - what the plugins' test scripts share on top of tests/lib.sh: running one plugin, the peer, tables. Sourced.
: "${top_builddir:=.}" "${top_srcdir:=.}"
. "$top_srcdir/tests/lib.sh" || exit 99
export LC_ALL=C # bytes that are no text pass through the tools
drive=$top_builddir/tests/plugins/drive
plugins=$top_builddir/plugins/.libs
out='' verdict='' text='' elapsed=''
declare -A port

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
    "$drive" "${options[@]}" "$plugins/$plugin.so" "$@" >"$scratch/result" 2>&1
    read_result "$scratch/result"
}

# metric NAME: its value in $out; bounds NAME: "warn W crit C min A max B"
metric() {
    printf '%s\n' "$out" | awk -v name="$1" '$1 == "metric" && $2 == name { print $3 }'
}
bounds() {
    printf '%s\n' "$out" | sed -n "s|^metric $1 [^ ]* [^ ]* ||p"
}

# dirty FILE: lines about a broken rule of the host, or a sanitizer's report
dirty() {
    grep -aE '^misuse|ERROR: |runtime error:|Sanitizer' "$1"
}
clean() { # NAME
    is "$(dirty "$scratch/result")" "" "$1"
}

# start_peer [CERTIFICATES]: fills port[MODE]
start_peer() {
    local name number
    mkfifo "$scratch/hold"
    /usr/bin/python3 "$top_srcdir/tests/plugins/peer.py" "$@" <"$scratch/hold" >"$scratch/ports" 2>"$scratch/peer.log" &
    started_pids+=($!)
    exec 9>"$scratch/hold"
    eventually 20 grep -q '^ready' "$scratch/ports" || return 1
    while read -r name number; do
        port[$name]=$number
    done <"$scratch/ports"
}

# row_is FILE LIMIT_MS: the result is $want with a text like $regex, in time and without a report of a sanitizer.
row_is() {
    read_result "$1"
    [ "$verdict" = "$want" ] && [[ "$text" =~ $regex ]] && [ "${elapsed:-999999}" -le $(($2 + 500)) ] && [ -z "$(dirty "$1")" ]
}

# run_table PLUGIN LIMIT_MS: standard input has "mode|state reached|regex|arguments" lines; '@' in the arguments is the
# mode's port. Eight run at once; each must end within its limit and half a second.
run_table() {
    local plugin=$1 limit=$2 line mode want regex arguments n=0 i
    local -a lines=() pids=()
    while IFS= read -r line; do
        case $line in '' | '#'*) continue ;; esac
        lines+=("$line")
    done
    for line in "${lines[@]}"; do
        IFS='|' read -r mode want regex arguments <<<"$line"
        if [ -n "${port[$mode]:-}" ]; then
            # shellcheck disable=SC2086
            "$drive" -t "$limit" "$plugins/$plugin.so" ${arguments//@/${port[$mode]}} >"$scratch/row.$n" 2>&1 &
            pids[n]=$!
        fi
        n=$((n + 1))
        [ $((n % 8)) -ne 0 ] || wait "${pids[@]}"
    done
    wait "${pids[@]}"
    for ((i = 0; i < n; i++)); do
        IFS='|' read -r mode want regex arguments <<<"${lines[i]}"
        if [ -z "${port[$mode]:-}" ]; then
            skip "$plugin, $mode" "the peer lacks it (is faketime installed?)"
            continue
        fi
        row_is "$scratch/row.$i" "$limit" || {
            # on a machine that is busy with other things a peer may be late: once more, alone, with more time
            "$drive" -t $((limit * 4)) "$plugins/$plugin.so" ${arguments//@/${port[$mode]}} >"$scratch/row.$i" 2>&1
            row_is "$scratch/row.$i" $((limit * 4))
        }
        ok $? "$plugin, $mode${arguments:+ (${arguments//@/PORT})}: $want" ||
            printf '%s\n' "want $want within $((limit * 4 + 500)) ms, like '$regex'" "$out" | sed 's/^/# /'
    done
}

# noon_zone: a zone in which it is about noon: days of a calendar are then whole at whatever hour the test runs.
noon_zone() {
    local ahead=$((12 - 10#$(date -u +%H)))
    printf 'Etc/GMT%+d' $((-ahead)) | sed 's/+0$//'
}
