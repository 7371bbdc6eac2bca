#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# drill.sh - what verification and drills cost, for `make bench-drill`:
#   verify  10,000 files in a folder: time, and how many bytes of them are read (by strace, and by the kernel's count)
#   drill   a MariaDB dump of DUMP_MIB (1024), ROUNDS (3) times by a drill and by hand in turn: the same tools and settings, from
#           an empty folder to an empty folder. Promise: at most 1.1 times as long
#   stream  an archive of STREAM_GIB (20) in zstd, small on disk before and after: the peak of
#           Belfry's own processes. Promise: 64 MiB
# Which of them: the arguments, or all. Figures in doc/BENCH.md.
. "${top_srcdir:?}/tests/lib.sh" || exit 1
. "$top_srcdir/tests/system/drill.sh"
now() { date +%s%N; }
seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b - a) / 1e9 }'; }
least() { printf '%s\n' "$@" | sort -n | head -n 1; }

# ---- 10,000 files
verify() {
    local at=$scratch/many begin end newest ours traced
    need strace || return
    mkdir "$at"
    for i in $(seq 0 9999); do # one an hour, the last one now
        printf 'line %d\n-- Dump completed on %(%F %T)T\n' "$i" $(($(date +%s) - i * 3600)) >"$at/shop-$(printf '%(%F_%H%M%S)T' $(($(date +%s) - i * 3600))).sql"
    done
    newest=$(find "$at" -name "*.sql" | sort | tail -n 1)
    local ask=("$belfry" check "$top_builddir/plugins/.libs/backup-restore.so" "source.db=$at" same_disk=true public=true unproven=true may_be_empty=true settle=0s -t 60)
    "${ask[@]}" >"$scratch/said"
    begin=$(now)
    "${ask[@]}" >"$scratch/said"
    end=$(now)
    strace -f -y -qq -e trace=read,pread64,readv,mmap -o "$scratch/trace" "${ask[@]}" >/dev/null
    ours=$(stat -c %s "$newest")
    traced=$(grep -F "<$at/" "$scratch/trace" | awk '{ sum += $NF } END { print sum + 0 }')
    sed 's/^/  /; q' "$scratch/said"
    echo "verify: 10,000 files: $(seconds "$begin" "$end") s; $traced bytes of them were read, in $(grep -F "<$at/" "$scratch/trace" | grep -o "<$at/[^>]*" | sort -u | wc -l) of the files (the newest has $ours)"
}

# ---- a dump of MariaDB
big_dump() { # MIB: rows of 250 bytes in inserts of 1 MB, as mariadb-dump writes them
    /usr/bin/python3 - "$1" <<'PY'
import hashlib, sys, time
out, want, size, row = sys.stdout.buffer, int(sys.argv[1]) << 20, 0, 0
out.write(b"-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n/*!40101 SET NAMES utf8mb4 */;\n"
          b"/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n"
          b"CREATE TABLE `orders` (`id` int NOT NULL, `customer` int, `created` datetime, `note` text, PRIMARY KEY (`id`), KEY `customer` (`customer`)) ENGINE=InnoDB;\nLOCK TABLES `orders` WRITE;\n")
stamp = time.strftime("%F %T")
while size < want:
    rows = []
    for _ in range(4000):
        row += 1
        digest = hashlib.md5(b"%d" % row).hexdigest()
        rows.append(f"({row},{row % 9973},'{stamp}','{digest * 3} for {row} and what the customer has said about it: {digest}, thank you very much')")
    text = ("INSERT INTO `orders` VALUES " + ",".join(rows) + ";\n").encode()
    size += len(text)
    out.write(text)
out.write(f"UNLOCK TABLES;\n-- Dump completed on {stamp}\n".encode())
PY
}
# The same by hand. The settings are those of the drill's server (core/drill/server_mariadb.c), as /proc has them of the last drill.
by_hand() {
    local at=$scratch/hand pid option options=()
    mkdir -m 700 "$at" && mkdir "$at/tmp" "$at/none" "$at/data"
    local as=() user=()
    if [ "$(id -u)" = 0 ]; then
        chown -R nobody "$at"
        as=(setpriv --reuid nobody --regid nogroup --clear-groups)
        user=(--user=nobody)
    fi
    for option in "${server_options[@]}"; do
        case $option in
        --*=/run/drill* | --*=*belfry-drill-*) options+=("${option%%=*}=$at/${option##*/}") ;;
        --*) options+=("$option") ;;
        esac
    done
    (
        cd "$at" || exit 1
        HOME=$at TMPDIR=$at/tmp "${as[@]}" mariadb-install-db --no-defaults "${user[@]}" --datadir="$at/data" --auth-root-authentication-method=normal --skip-test-db \
            --skip-name-resolve --innodb-log-file-size=16M --tmpdir="$at/tmp" >/dev/null 2>&1
        "${as[@]}" mariadbd "${options[@]}" --datadir="$at/data" --socket="$at/sock" --pid-file="$at/pid" --log-error="$at/error.log" >/dev/null 2>&1 &
        pid=$!
        until mariadb --no-defaults -S "$at/sock" -uroot -e 'CREATE DATABASE IF NOT EXISTS drill' 2>/dev/null; do sleep 0.05; done
        zcat "$scratch/shop/big.sql.gz" | mariadb --no-defaults -S "$at/sock" -uroot --batch --binary-mode --max-allowed-packet=1G drill
        mariadb --no-defaults -S "$at/sock" -uroot drill -BNe 'SELECT COUNT(*) FROM orders' >"$scratch/hand.rows"
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null
    )
    rm -rf "$at"
}
take_options() { # of the scratch server that runs now
    local pid
    for pid in $(pgrep -x mariadbd); do
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -q '^BELFRY_DRILL=' && grep -qz -- --secure-file-priv "/proc/$pid/cmdline" &&
            mapfile -d '' -t server_options <"/proc/$pid/cmdline" && return 0
    done
    return 1
}
count_cpu() { # into $cpu: processor time of all that this shell has waited for, in seconds
    times >"$scratch/times"
    cpu=$(tr ms '  ' <"$scratch/times" | awk 'END { print $1 * 60 + $2 + $3 * 60 + $4 }')
}
drill() {
    local i begin end hand=() drilled=() server_options=() rounds=${ROUNDS:-3} cpu before begun hand_cpu=0
    need mariadbd || return
    big_dump "${DUMP_MIB:-1024}" | gzip -1 >"$shop/big.sql.gz"
    count_cpu
    begun=$cpu
    write_conf <<<"drills: { big: { source = \"$shop/big.sql.gz\"; assertions = ( { table = \"orders\"; min_rows = 1000; } ); }; };"
    start_belfryd || return
    for ((i = 0; i < rounds; i++)); do
        begin=$(now)
        b drill run big >"$scratch/drill.out" 2>&1 &
        [ "${#server_options[@]}" -gt 0 ] || eventually 60 take_options
        wait $! || { cat "$scratch/drill.out"; return; }
        end=$(now)
        drilled+=("$(seconds "$begin" "$end")")
        count_cpu
        before=$cpu
        begin=$(now)
        by_hand
        end=$(now)
        count_cpu
        hand_cpu=$(awk -v sum="$hand_cpu" -v a="$before" -v b="$cpu" 'BEGIN { print sum + b - a }')
        hand+=("$(seconds "$begin" "$end")")
        echo "  drill ${drilled[-1]} s, by hand ${hand[-1]} s ($(cat "$scratch/hand.rows") rows)"
    done
    sed 's/^/  /' "$scratch/drill.out"
    stop_belfryd
    count_cpu
    echo "  processor time of $rounds: drills $(awk -v a="$begun" -v b="$cpu" -v hand="$hand_cpu" 'BEGIN { print b - a - hand }') s, by hand $hand_cpu s"
    echo "drill: a MariaDB dump of ${DUMP_MIB:-1024} MiB: $(least "${drilled[@]}") s, by hand $(least "${hand[@]}") s: $(awk -v a="$(least "${drilled[@]}")" -v b="$(least "${hand[@]}")" 'BEGIN { printf "%.2f", a / b }') times as long (least of $rounds)"
}

# ---- 20 GiB through Belfry's own processes
peaks() { # the greatest VmHWM of belfryd, and of the supervisor and the runner, in KiB
    local pid kib supervisor
    supervisor=$(pgrep -P "$belfryd_pid" -x belfry-drill | head -n 1)
    for pid in "$belfryd_pid" $supervisor $(pgrep -P "${supervisor:-$belfryd_pid}" -x belfry-drill); do
        kib=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
        if [ "$pid" = "$belfryd_pid" ]; then
            daemon_peak=${kib:-$daemon_peak}
        elif [ "${kib:-0}" -gt "$drill_peak" ]; then
            drill_peak=$kib
        fi
    done
}
stream() {
    local gib=${STREAM_GIB:-20} daemon_peak=0 drill_peak=0 begin end client
    need zstd || return
    truncate -s 1G "$scratch/zeros" # one name again and again: each takes the place of the one before it
    yes zeros | head -n "$gib" | tar -C "$scratch" -cf - --hard-dereference -T - | zstd -q -1 >"$shop/stream.tar.zst"
    write_conf <<<"drills: { stream: { source = \"$shop/stream.tar.zst\"; assertions = ( { file = \"zeros\"; } ); }; };"
    start_belfryd || return
    begin=$(now)
    b drill run stream >"$scratch/drill.out" 2>&1 &
    client=$!
    while ! gone "$client"; do
        peaks
        sleep 0.2
    done
    end=$(now)
    wait "$client" || cat "$scratch/drill.out"
    stop_belfryd
    echo "stream: $gib GiB of an archive ($(stat -c %s "$shop/stream.tar.zst") bytes packed) in $(seconds "$begin" "$end") s: peak of belfry-drill $((drill_peak / 1024)) MiB, of belfryd $((daemon_peak / 1024)) MiB; 64 MiB are allowed"
}

need() { command -v "$1" >/dev/null || { echo "SKIP: $1 is not installed"; return 1; }; }
mkdir -p "$shop"
chmod 755 "$shop"
[ $# -gt 0 ] || set -- verify drill stream
for one; do "$one"; done
