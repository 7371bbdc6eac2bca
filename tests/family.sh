# SPDX-License-Identifier: GPL-3.0-or-later
# family.sh - what the tests of the family share, beside lib.sh: the unruly plugin under any name, what
# `belfry status` says of processes, and what must hold after every row of doc/reliability-catalogue.md.

marks=$scratch/marks
mkdir -p "$marks" "$scratch/plugins"
need_compiler() { local cc=${CC:-cc}; command -v "${cc%% *}" >/dev/null 2>&1 || command -v cc >/dev/null || skip_all "no compiler"; }
# build_unruly NAME...: into the plugin folder of this test; they need files, or what $unruly_needs says
build_unruly() {
    local name
    for name; do
        ${CC:-cc} -shared -fPIC -pthread -D_GNU_SOURCE -DUNRULY_NAME="\"$name\"" -DUNRULY_MARKS="\"$marks\"" \
            ${unruly_needs:+-DUNRULY_NEEDS="$unruly_needs"} -I"$top_srcdir/include" \
            "$top_srcdir/tests/fixtures/unruly.c" -o "$scratch/plugins/.$name" && mv "$scratch/plugins/.$name" "$scratch/plugins/$name.so" || return 1
    done
}

plugin() { # NAME FIELD: as the daemon sees it
    b -o json status | /usr/bin/python3 -c '
import json, sys
for p in json.load(sys.stdin)["plugins"]:
    if p["name"] == sys.argv[1]:
        print(p[sys.argv[2]])' "$1" "$2"
}
plugin_is() { [ "$(plugin "$1" "$2")" = "$3" ]; }
daemon() { b -o json status | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["daemon"][sys.argv[1]])' "$1"; } # FIELD
daemon_is() { [ "$(daemon "$1")" = "$2" ]; }
worker_of() { pgrep -P "$belfryd_pid" -f "belfry-worker.*/$1\\.so" | head -n 1; }
recorder() { pgrep -P "$belfryd_pid" -f belfry-recorder; }
journal() { journal_lines; }
count_events() { journal | grep -c "\"type\":\"$1\""; }
logged() { grep -Eq -- "$1" "$scratch/log"; }
last_log() { grep -E -- "$1" "$scratch/log" | tail -n 1; }

count_fds() { find "/proc/$belfryd_pid/fd" -mindepth 1 2>/dev/null | wc -l; }
no_zombies() { ! ps -o stat= --ppid "$belfryd_pid" | grep -q Z; }
fds_at_most() { [ "$(count_fds)" -le "$1" ]; }
children() { pgrep -P "$belfryd_pid" | wc -l; }
children_at_most() { [ "$(children)" -le "$1" ]; }
# holds WHAT FDS CHILDREN: the daemon answers, has no more descriptors and children than that, no zombie, and its journal verifies
holds() {
    control >/dev/null
    ok $? "$1: the daemon answers"
    eventually 15 fds_at_most "$2"
    ok $? "$1: no descriptor is left open ($(count_fds), at most $2)"
    eventually 15 children_at_most "$3"
    ok $? "$1: no process is left over ($(children), at most $3)"
    eventually 10 no_zombies
    ok $? "$1: no zombie"
    b journal verify >/dev/null
    ok $? "$1: the journal verifies"
}
