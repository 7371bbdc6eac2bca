# SPDX-License-Identifier: GPL-3.0-or-later
# lib.sh - what the system tests share: TAP, a scratch folder, a family started and stopped in it, free ports, bounded waits.
# A test sources it, calls ok/is/like/skip, and ends with `finish`. Everything it starts with `background` or `start_belfryd` is ended by
# process id when it leaves, whatever happens.
set -u
: "${top_builddir:?run it by make check}" "${top_srcdir:?}"
belfry=$top_builddir/belfry
belfryd=$top_builddir/belfryd
scratch=$(mktemp -d "${TMPDIR:-/tmp}/belfry-test.XXXXXX")
chmod 755 "$scratch"
test_points=0
test_failures=0
started_pids=()
aside_pids=()
aside_names=()
belfryd_pid=
export LC_ALL=C.UTF-8 NO_COLOR=1
# librrd's drawing libraries keep what they allocate once
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$top_srcdir/tests/lsan.supp:print_suppressions=0}

ok() { # STATUS NAME
    test_points=$((test_points + 1))
    if [ "$1" = 0 ]; then echo "ok $test_points - $2"; else
        echo "not ok $test_points - $2"
        test_failures=$((test_failures + 1))
        return 1
    fi
}
is() { # GOT WANT NAME
    [ "$1" = "$2" ]
    ok $? "$3" || { printf '# got  %s\n# want %s\n' "$1" "$2" | head -n 40; return 1; }
}
like() { # TEXT EXTENDED-REGEX NAME
    printf '%s\n' "$1" | grep -Eq -- "$2"
    ok $? "$3" || { printf '%s\n' "$1" | head -n 40 | sed 's/^/# /'; echo "# wanted to match $2"; return 1; }
}
unlike() { # TEXT EXTENDED-REGEX NAME
    ! printf '%s\n' "$1" | grep -Eq -- "$2"
    ok $? "$3" || { printf '%s\n' "$1" | head -n 40 | sed 's/^/# /'; echo "# wanted not to match $2"; return 1; }
}
skip() { # NAME REASON
    test_points=$((test_points + 1))
    echo "ok $test_points - $1 # SKIP $2"
}
skip_all() { # REASON
    echo "1..0 # SKIP $1"
    exit 0
}

is_sanitized() { grep -q 'define BELFRY_SANITIZERS' "$top_builddir/config.h"; }
has_plugin() { [ -e "$top_builddir/plugins/.libs/$1.so" ]; }
# need_plugins NAME...: skips the test when one was left out of the build
need_plugins() {
    local name
    for name; do
        has_plugin "$name" || skip_all "the $name plugin is not built"
    done
}

# eventually SECONDS COMMAND...: repeats the command until it succeeds, at most that long.
eventually() {
    local end=$(($(date +%s%N) + $1 * 1000000000)) pause=50
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$end" ] || return 1
        sleep "0.$(printf %03d "$pause")"
        pause=$((pause < 250 ? pause + 20 : pause)) # who waits long takes nothing from the others
    done
}

# A process is gone when nothing runs under its number (a zombie that awaits its parent has no command line).
gone() { [ -z "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]; } # (files in /proc have no size)

background() { # COMMAND...: its pid is in $background_pid
    "$@" &
    background_pid=$!
    started_pids+=("$background_pid")
}

end_process() { # PID [SIGNAL]
    kill "-${2:-TERM}" "$1" 2>/dev/null || return 0
    eventually 10 gone "$1" || kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Writes $scratch/belfry.conf: the folders, then what stands on stdin.
write_conf() {
    { printf 'state_dir = "%s/var";\nrun_dir = "%s/run";\nplugin_dirs = [ "%s", "%s" ];\n' "$scratch" "$scratch" \
        "${plugin_dir:-$top_builddir/plugins/.libs}" "${extra_plugin_dir:-$scratch/plugins}"; cat; } >"$scratch/belfry.conf"
}

start_belfryd() { # waits for the control socket
    mkdir -p "$scratch/plugins"
    "$belfryd" -c "$scratch/belfry.conf" "$@" 2>>"$scratch/log" &
    belfryd_pid=$!
    eventually 20 control || { echo "# belfryd does not answer"; sed 's/^/# /' "$scratch/log" | tail -n 20; test_failures=$((test_failures + 1)); return 1; }
}
control() { b -o json breaker list; } # a verb that only the daemon can answer
stop_belfryd() { # [SIGNAL]; the exit status is in $belfryd_status
    kill "-${1:-TERM}" "$belfryd_pid" 2>/dev/null
    eventually 20 gone "$belfryd_pid" || kill -KILL "$belfryd_pid"
    wait "$belfryd_pid" 2>/dev/null
    belfryd_status=$?
    belfryd_pid=
}
b() { "$belfry" -c "$scratch/belfry.conf" "$@"; }

# check_field CHECK FIELD: one member of a check as `belfry status` has it.
check_field() {
    b -o json status "$1" | /usr/bin/python3 -c '
import json, sys
for s in json.load(sys.stdin)["services"]:
    for c in s["checks"]:
        if c["id"] == sys.argv[1]:
            v = c
            for k in sys.argv[2].split("."):
                v = v[k]
            print(str(v).lower() if isinstance(v, bool) else v)
' "$1" "$2"
}
check_is() { [ "$(check_field "$1" "$2")" = "$3" ]; } # CHECK FIELD VALUE
check_at_least() { [ "$(check_field "$1" "$2")" -ge "$3" ]; }
# The journal's lines, also of compressed segments; of one that is being compressed both files may be there.
journal_lines() {
    local file
    for file in $(find "$scratch/var/journal/" -regex '.*/[0-9]+\.jsonl\(\.gz\)?' | sed 's/\.gz$//' | sort -u); do
        cat "$file" 2>/dev/null || zcat "$file.gz"
    done
}
journal_types() { journal_lines | /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    print(json.loads(line)["type"])'; }

# aside FUNCTION [ARGUMENT...]: runs it beside what follows, in a folder and with points of its own. `join` waits for all of them and tells
# their points as this test's.
aside() {
    local told=$scratch/aside.${#aside_names[@]} folder
    folder=$(mktemp -d "${TMPDIR:-/tmp}/belfry-test.XXXXXX") && chmod 755 "$folder" || exit 1
    (
        trap 'exit 1' TERM
        trap cleanup EXIT
        scratch=$folder belfryd_pid='' started_pids=() aside_pids=() aside_names=() test_points=0 test_failures=0
        "$@"
        exit $((test_failures > 0))
    ) >"$told" 2>&1 &
    aside_pids+=($!)
    aside_names+=("$*")
}
join() {
    local i line status failures
    for i in "${!aside_pids[@]}"; do
        wait "${aside_pids[i]}"
        status=$? failures=$test_failures
        while IFS= read -r line; do
            case $line in
            "ok "*) ok 0 "${line#ok * - }" ;;
            "not ok "*) ok 1 "${line#not ok * - }" ;;
            *) printf '# %s\n' "${line#\# }" ;;
            esac
        done <"$scratch/aside.$i"
        [ "$status" = 0 ] || [ "$test_failures" -gt "$failures" ] || ok 1 "${aside_names[i]} comes to its end"
    done
    aside_pids=() aside_names=()
}

cleanup() {
    [ -z "$belfryd_pid" ] || stop_belfryd KILL
    local pid
    for pid in "${aside_pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid"; done
    for pid in "${started_pids[@]}"; do end_process "$pid" KILL; done
    if [ "$test_failures" -gt 0 ] && [ -f "$scratch/log" ]; then
        echo "# the daemon's log ends:"
        tail -n 60 "$scratch/log" | sed 's/^/# /'
    fi
    [ -n "${KEEP_SCRATCH:-}" ] || rm -rf "$scratch"
}
trap cleanup EXIT # a test that has more to undo sets its own trap, which calls cleanup

finish() {
    echo "1..$test_points"
    [ "$test_failures" = 0 ]
    exit
}
