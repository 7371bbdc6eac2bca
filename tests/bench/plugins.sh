#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# plugins.sh [SECONDS]: 1,000 redis, 1,000 http and 200 mariadb checks every 10 s against local servers, started here in a
# scratch folder: CPU per check of each plugin's worker, against that of a minimal C program (minimal_*.c) that makes the
# same requests. The target is a ratio of 1.5. What lacks its server is left out.
. "${top_srcdir:?run it by make check}/tests/lib.sh" || exit 1
seconds=${1:-20} warm=${BENCH_WARM:-12} # longer than an interval: every check has run, every plugin is loaded
here=$top_srcdir/tests/bench
export PATH=$PATH:/usr/sbin:/sbin
declare -A port minimal
kinds=()

# build NAME LIBRARY...
build() {
    local name=$1
    shift
    # shellcheck disable=SC2046
    ${CC:-cc} -std=gnu11 -O2 -I"$top_srcdir" "$here/minimal_$name.c" -o "$scratch/minimal_$name" \
        $(pkg-config --cflags --libs "$@") 2>"$scratch/build.$name" || { cat "$scratch/build.$name"; return 1; }
}
up() { : 2>/dev/null <"/dev/tcp/127.0.0.1/$1"; }

start_redis() {
    command -v redis-server >/dev/null && has_plugin redis && build redis hiredis || return
    port[redis]=$(free_port)
    background redis-server --bind 127.0.0.1 --port "${port[redis]}" --save '' --dir "$scratch" >/dev/null
    eventually 20 up "${port[redis]}" && kinds+=(redis)
}
start_http() {
    command -v nginx >/dev/null && has_plugin http && build http libcurl || return
    port[http]=$(free_port)
    mkdir "$scratch/nginx"
    cat >"$scratch/nginx/nginx.conf" <<CONF
daemon off; master_process off; pid $scratch/nginx/pid; error_log $scratch/nginx/error.log;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path $scratch/nginx/a; proxy_temp_path $scratch/nginx/b; fastcgi_temp_path $scratch/nginx/c;
    uwsgi_temp_path $scratch/nginx/d; scgi_temp_path $scratch/nginx/e;
    server { listen 127.0.0.1:${port[http]}; location / { return 200 "well\n"; } } }
CONF
    background nginx -p "$scratch/nginx" -c "$scratch/nginx/nginx.conf" 2>/dev/null
    eventually 20 up "${port[http]}" && kinds+=(http)
}
sql() { mariadb --no-defaults -N -S "$scratch/sql.sock" -uroot -e "$1"; }
start_mariadb() {
    command -v mariadbd >/dev/null && has_plugin mariadb && build mariadb libmariadb || return
    port[mariadb]=$(free_port)
    mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$scratch/data" --skip-test-db \
        --auth-root-authentication-method=normal --innodb-log-file-size=16M >"$scratch/install" 2>&1 || return
    background mariadbd --no-defaults --user="$(id -un)" --datadir="$scratch/data" --socket="$scratch/sql.sock" \
        --pid-file="$scratch/sql.pid" --log-error="$scratch/sql.err" --bind-address=127.0.0.1 --port="${port[mariadb]}" \
        --innodb-buffer-pool-size=32M --max-connections=400 --skip-name-resolve --general-log-file="$scratch/statements.log"
    eventually 60 sql 'select 1' || return
    sql "create user belfry@127.0.0.1 identified by 'm'; grant process, slave monitor, binlog monitor on *.* to belfry@127.0.0.1"
    # the very statements of one run of the plugin
    sql 'set global general_log = 1'
    "$belfry" check "$top_builddir/plugins/.libs/mariadb.so" port="${port[mariadb]}" password=m >"$scratch/once"
    sql 'set global general_log = 0'
    sed -n 's/^.*[0-9] Query\t//p' "$scratch/statements.log" | grep -v 'general_log' >"$scratch/statements"
    kinds+=(mariadb)
}

# Microseconds a check of a minimal program, which checks as often as the plugin does (KIND MS) or without a pause (KIND 0)
measure_minimal() {
    case $1 in
        redis) "$scratch/minimal_redis" 1000 "$2" "${port[redis]}" ;;
        http) "$scratch/minimal_http" 1000 "$2" "http://127.0.0.1:${port[http]}/" ;;
        mariadb) "$scratch/minimal_mariadb" 200 "$2" "${port[mariadb]}" belfry m "$scratch/statements" ;;
    esac
}
# The same of a worker that is never idle, as the minimal program in its loop; nothing when tests/bench/bench_worker is not built
measure_worker() { # KIND
    local bench=$top_builddir/tests/bench/bench_worker plugin=$top_builddir/plugins/.libs/$1.so
    [ -x "$bench" ] || return 0
    case $1 in
        redis) "$bench" 3000 "$plugin" 64 port "${port[redis]}" ;;
        http) "$bench" 3000 "$plugin" 64 url "http://127.0.0.1:${port[http]}/" ;;
        mariadb) "$bench" 400 "$plugin" 16 port "${port[mariadb]}" password m ;;
    esac
}
declare -A every=([redis]=10 [http]=10 [mariadb]=50)
checks() { # KIND COUNT OPTIONS
    local i
    printf '%s: { checks: {\n' "$1"
    for ((i = 0; i < $2; i++)); do printf 'c%d: { plugin = "%s"; %s };\n' "$i" "$1" "$3"; done
    printf '}; };\n'
}
counts() { # "KIND runs" of each kind, and "bad N" of checks that are not well
    b -o json status | /usr/bin/python3 -c '
import json, sys
status = json.load(sys.stdin)
for s in status["services"]:
    print(s["name"], sum(c["runs"] for c in s["checks"]))
print("bad", sum(c["state"] not in ("OK", "WARNING") for s in status["services"] for c in s["checks"]))'
}
# CPU nanoseconds of the worker that has a plugin loaded, by the kernel's own account of each thread
worker_of() { pgrep -P "$belfryd_pid" -f -- "--plugin .*/$1\.so"; }
worker_ns() { # PIDS...
    local pid
    for pid; do cat "/proc/$pid"/task/*/schedstat 2>/dev/null; done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}
family_s() { /usr/bin/python3 "$here/cpu.py" "$belfryd_pid"; }

for kind in redis http mariadb; do "start_$kind" || echo "$kind is left out: no server, no library or no plugin"; done
[ ${#kinds[@]} -gt 0 ] || { cleanup; trap - EXIT; exit 0; }
mkdir -m 700 "$scratch/secrets"
(umask 077 && printf m >"$scratch/secrets/m")
{
    echo "secrets_dir = \"$scratch/secrets\"; defaults: { every = \"10s\"; timeout = \"5s\"; };"
    echo 'services: {'
    for kind in "${kinds[@]}"; do
        case $kind in
            redis) checks redis 1000 "port = ${port[redis]};" ;;
            http) checks http 1000 "url = \"http://127.0.0.1:${port[http]}/\";" ;;
            mariadb) checks mariadb 200 "port = ${port[mariadb]}; password = \"@m\";" ;;
        esac
    done
    echo '};'
} >"$scratch/bench.conf"
write_conf <"$scratch/bench.conf"
start_belfryd || exit 1
sleep "$warm"
declare -A runs0 runs1 ns0 workers
while read -r kind n; do runs0[$kind]=$n; done < <(counts)
for kind in "${kinds[@]}"; do
    workers[$kind]=$(worker_of "$kind")
    # shellcheck disable=SC2086
    ns0[$kind]=$(worker_ns ${workers[$kind]})
done
family0=$(family_s)
pids=()
for kind in "${kinds[@]}"; do # meanwhile, at the same pace
    measure_minimal "$kind" "${every[$kind]}" >"$scratch/paced.$kind" &
    pids+=($!)
done
sleep "$seconds"
family1=$(family_s)
declare -A ns1
# shellcheck disable=SC2086
for kind in "${kinds[@]}"; do ns1[$kind]=$(worker_ns ${workers[$kind]}); done
while read -r kind n; do runs1[$kind]=$n; done < <(counts)
wait "${pids[@]}"
all=0
for kind in "${kinds[@]}"; do
    minimal[$kind]=$(cat "$scratch/paced.$kind")
    tight=$(measure_minimal "$kind" 0) || { echo "minimal_$kind failed"; continue; }
    full=$(measure_worker "$kind")
    n=$((runs1[$kind] - runs0[$kind]))
    all=$((all + n))
    awk -v k="$kind" -v n="$n" -v ns=$((ns1[$kind] - ns0[$kind])) -v m="${minimal[$kind]}" -v t="$tight" -v f="$full" \
        'BEGIN { w = ns / n / 1000
                 printf "%-8s %5d runs: worker %.1f us a check; minimal program %.1f us, ratio %.2f", k, n, w, m, w / m
                 if (f == "") printf " (without a pause %.1f us)\n", t
                 else printf "; neither with a pause: %.1f us and %.1f us, ratio %.2f\n", f, t, f / t }'
done
awk -v a="$family0" -v b="$family1" -v n=$all \
    'BEGIN { printf "family   %5d runs: %.1f us a check in all processes together\n", n, (b - a) / n * 1e6 }'
[ "${runs1[bad]}" = 0 ] || echo "${runs1[bad]} checks are not well: the figures mean nothing"
stop_belfryd
cleanup
trap - EXIT
