#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gallery.sh - makes the graphs of doc/GALLERY.md: `make gallery [GALLERY_MINUTES=30]` in a build folder.
#
# A real Redis, MariaDB and nginx of its own, and this machine, are watched by a Belfry of its own every five seconds, while things happen to
# them: load comes and goes, Redis fills up, MariaDB runs out of connections, nginx and then belfryd itself are stopped for a while.
# What needs weeks is made up and fed through the recorder; GALLERY.md says of which graphs. Nothing but $scratch and doc/gallery is
# written, nothing but loopback is used.
. "${top_srcdir:?run it by make gallery}/tests/lib.sh" || exit 1
. "$top_srcdir/tests/plugins/mariadbd.sh" || { echo 'no MariaDB server is installed' >&2; exit 1; }
out=$top_srcdir/doc/gallery
length=$((${GALLERY_MINUTES:-30} * 60))
redis_port=$(free_port) web_port=$(free_port)
mkdir -p "$out"

start_redis() {
    background redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$scratch" --logfile "$scratch/redis.log" \
        --maxmemory 48mb --maxmemory-policy noeviction
}
redis() { redis-cli -p "$redis_port" "$@" >/dev/null 2>&1; }
start_nginx() {
    background nginx -p "$scratch" -c "$scratch/nginx.conf" 2>/dev/null
    nginx_pid=$background_pid
}
mkdir "$scratch/html"
cp "$top_srcdir/doc/ARCHITECTURE.md" "$scratch/html/index.html"
cat >"$scratch/nginx.conf" <<CONF
daemon off; master_process off; pid $scratch/nginx.pid; error_log $scratch/nginx.err;
events { worker_connections 128; }
http { access_log off; client_body_temp_path $scratch/t1; proxy_temp_path $scratch/t2; fastcgi_temp_path $scratch/t3;
  uwsgi_temp_path $scratch/t4; scgi_temp_path $scratch/t5;
  server { listen 127.0.0.1:$web_port; root $scratch/html; } }
CONF
configure() { # MORE SERVICES
    write_conf <<CONF
defaults: { every = "5s"; timeout = "2s"; attempts = 2; retry_every = "2s"; breaker = { failures = 5; open = "20s"; open_max = "20s"; }; };
services: {
  host: { title = "This machine"; checks: { system: { plugin = "host"; 
    thresholds = { load_per_core = { warn = ""; crit = ""; }; load1 = { warn = "16"; crit = "32"; }; }; }; }; };
  redis: { title = "Redis"; checks: { server: { plugin = "redis"; host = "127.0.0.1"; port = $redis_port; }; }; };
  mariadb: { title = "MariaDB"; checks: { server: { plugin = "mariadb"; socket = "$scratch/db.sock"; user = "root"; }; }; };
  shop: { title = "Web shop"; checks: { web: { plugin = "http"; url = "http://127.0.0.1:$web_port/";
    thresholds = { time_total = { warn = "0.2"; crit = "1"; }; }; }; }; };
  $1
};
CONF
}

# ---- what happens: at a share of the time, in thousandths
fill_redis() { # until so many thousands of entries are there
    local i
    for ((i = filled; i < $1; i++)); do echo "SET entry:$i $(printf '%0900d' "$i")"; done | redis-cli -p "$redis_port" --pipe >/dev/null 2>&1
    filled=$1
}
filled=0
mkfifo "$scratch/silence"
exec 9<>"$scratch/silence"
hold_connections() { # until there are so many, which say nothing
    while [ "${#held[@]}" -lt "$1" ]; do
        mariadb --no-defaults -N -S "$scratch/db.sock" -uroot <"$scratch/silence" >/dev/null 2>&1 &
        held+=($!)
        started_pids+=($!)
    done
}
held=()
release_connections() {
    [ "${#held[@]}" = 0 ] || kill "${held[@]}" 2>/dev/null
    held=()
}
sql_input() { mariadb --no-defaults -S "$scratch/db.sock" -uroot >/dev/null 2>&1; }
# One second of load, after a sine of six minutes.
load() { # SECOND
    local n=$((60 + $(awk -v t="$1" 'BEGIN { srand(t); printf "%d", 45 * sin(t * 6.2832 / 420) + 16 * rand() - 8 }')))
    redis-benchmark -p "$redis_port" -q -n $((n * 12)) -c 4 -t get,set >/dev/null 2>&1
    for ((k = 0; k < n; k++)); do echo 'select sum(seq) from seq_1_to_500;'; done | sql_input
    curl -s -o /dev/null "http://127.0.0.1:$web_port/?[1-$((n / 4 + 1))]"
}
event() { # THOUSANDTHS
    case $1 in
    8[0-9] | 1[0-9][0-9]) [ $(($1 % 10)) = 0 ] && fill_redis $((($1 - 70) * 350)) ;;
    230) redis flushall; filled=0 ;;
    3[0-6][0-9]) hold_connections $((($1 - 300) * 4 / 3)) ;;
    410) release_connections ;;
    500) end_process "$nginx_pid" ;;
    570) start_nginx ;;
    650) configure 'cache: { checks: { redis: { plugin = "tcp"; host = "127.0.0.1"; port = '"$redis_port"'; }; }; };' && b reload ;;
    720) stop_belfryd ;;
    780) start_belfryd ;;
    860) sql db 'shutdown' ;;
    890) start_db ;;
    esac >/dev/null
}
start_db() { start_server db --skip-networking --max-connections=100; }

make_data db && start_db && start_redis && start_nginx || exit 1
configure ''
start_belfryd || exit 1
begun=$(date +%s) done=0
while [ $(($(date +%s) - begun)) -lt "$length" ]; do
    second=$(($(date +%s) - begun))
    while [ "$done" -lt $((second * 1000 / length)) ]; do
        done=$((done + 1))
        event "$done"
    done
    load "$second"
    sleep 0.2
done
until=$(($(date +%s) - 2))
sleep 3

# ---- the graphs
# draw NAME ARGUMENT...: on a light and on a dark page
draw() {
    for theme in light dark; do
        b graph "${@:2}" --theme "$theme" -o "$out/$1-$theme.svg" || failed=1
    done
}
failed=0
span=(--since "$(date -d "@$((begun + 10))" '+%F %T')" --until "$(date -d "@$until" '+%F %T')")
draw host-cpu host/system cpu "${span[@]}"
draw host-load host/system load1 --percentile 95 "${span[@]}"
draw redis-memory redis/server memory "${span[@]}"
draw redis-memory-used redis/server memory_used_percent "${span[@]}"
draw redis-work redis/server work "${span[@]}"
draw mariadb-connections mariadb/server connections_used_percent "${span[@]}"
draw mariadb-statements mariadb/server statements "${span[@]}"
draw http-times shop/web times "${span[@]}"
for thumb in redis/server:ops mariadb/server:questions shop/web:time_total host/system:cpu_used; do
    draw "thumb-${thumb%%/*}" "${thumb%:*}" "${thumb#*:}" --size thumb "${span[@]}"
done
[ -n "${GALLERY_KEEP:-}" ] && cp -r "$scratch/var" "$scratch/belfry.conf" "$GALLERY_KEEP" # to draw them again
stop_belfryd
. "$top_srcdir/doc/gallery_weeks.sh"
sed -i "s#$scratch#/srv/belfry#g" "$out"/*.svg # where it was made says nothing
cleanup
trap - EXIT
exit $failed
