# SPDX-License-Identifier: GPL-3.0-or-later
# drill.sh - what the tests of restore drills share; sourced after lib.sh.
shop=$scratch/shop

# make_dump ROWS [WHEN]: a dump as mariadb-dump writes it.
make_dump() {
    local when=${2:-$(date '+%F %T')}
    printf '%s\n' '/*M!999999\- enable the sandbox mode */ ' '-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)' '--' \
        '/*!40101 SET NAMES utf8mb4 */;' 'DROP TABLE IF EXISTS `orders`;' \
        'CREATE TABLE `orders` (`id` int NOT NULL, `created` datetime, PRIMARY KEY (`id`)) ENGINE=InnoDB;' 'INSERT INTO `orders` VALUES'
    seq "$1" | sed "s/.*/(&,'$when'),/; \$s/,\$/;/"
    printf '%s\n' "-- Dump completed on $when"
}

# drill_field NAME PATH: a member of a drill as the daemon lists it ("last.result").
drill_field() {
    b -o json drill list | /usr/bin/python3 -c '
import json, sys
for d in json.load(sys.stdin)["drills"]:
    if d["name"] == sys.argv[1]:
        for k in sys.argv[2].split("."):
            d = d.get(k) if d else None
        print(d)' "$1" "$2"
}
drill_is() { [ "$(drill_field "$1" "$2")" = "$3" ]; } # NAME PATH VALUE
# Processes of the drills of this test's journal, by what their environment says.
drill_processes() {
    local ids environ
    ids=$(journal_lines | jq -r 'select(.type == "drill.started") | "BELFRY_DRILL=" + .id')
    [ -n "$ids" ] || return 0
    for environ in /proc/[0-9]*/environ; do
        if tr '\0' '\n' 2>/dev/null <"$environ" | grep -qxF "$ids"; then echo "${environ//[!0-9]/}"; fi
    done
}
nothing_left() { [ -z "$(ls -A "$scratch/var/scratch" 2>/dev/null)" ] && [ -z "$(drill_processes)" ]; }
ended_records() { journal_types | grep -cE '^drill\.(passed|failed|cancelled|abandoned)$'; }

# ---- groups of drills, each with a daemon of its own
has() { command -v "$@" >/dev/null; }

# expect_pass DRILL KIND [REGEX]
expect_pass() {
    local out
    out=$(b drill run "$1")
    like "$out" '^passed' "$1 passes"
    like "$out" ", $2" "$1: it is $2"
    [ -z "${3:-}" ] || like "$out" "$3" "$1: $3"
}
# expect_fail DRILL PHASE REGEX
expect_fail() {
    like "$(b drill run "$1")" "^failed in phase $2: .*$3" "$1 fails in phase $2"
}
secret() { # NAME TEXT
    mkdir -p -m 700 "$scratch/secrets" && printf '%s\n' "$2" >"$scratch/secrets/$1" && chmod 600 "$scratch/secrets/$1"
}
begin() { # from stdin: the drills
    write_conf <<<"secrets_dir = \"$scratch/secrets\"; drills: { $(cat) };"
    start_belfryd
}
ending() { # every test ends so
    eventually 10 nothing_left
    ok $? "$1: nothing is left"
    is "$(journal_types | grep -c '^drill.started')" "$(ended_records)" "$1: every drill has an end"
}
