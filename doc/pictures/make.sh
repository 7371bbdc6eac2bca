#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# make.sh - makes the pictures of README.md: the board of a real family whose Redis was just stopped, and a graph of two made-up days.
# Run it by `make pictures` in a build folder.
. "${top_srcdir:?run it by make pictures}/tests/lib.sh" || exit 1
out=$top_srcdir/doc/pictures
port=$(free_port) web=$(free_port)
background redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$scratch" --logfile "$scratch/redis.log"
redis=$background_pid
background /usr/bin/python3 -m http.server "$web" --bind 127.0.0.1 --directory "$top_srcdir/doc" >/dev/null 2>&1
write_conf <<CONF
defaults: { every = "1s"; timeout = "900ms"; attempts = 2; retry_every = "500ms"; };
services: {
  host: { title = "This machine"; checks: { system: { plugin = "host"; thresholds = { load_per_core = { warn = ""; crit = ""; }; }; }; }; };
  redis: { title = "Redis"; severity = "sev2"; checks: { server: { plugin = "redis"; host = "127.0.0.1"; port = $port;
    breaker = { failures = 3; open = "30s"; open_max = "30s"; }; }; }; };
  billing: { title = "Billing"; severity = "sev2"; depends = [ "redis" ]; checks: {
    web: { plugin = "http"; url = "http://127.0.0.1:$web/"; };
    queue: { plugin = "tcp"; host = "127.0.0.1"; port = $port; breaker = { failures = 3; open = "30s"; open_max = "30s"; }; };
  }; };
  docs: { title = "Documentation"; checks: { web: { plugin = "http"; url = "http://127.0.0.1:$web/"; };
    page: { plugin = "file-age"; path = "$top_srcdir/doc/ARCHITECTURE.md"; thresholds = { age = { warn = ""; crit = ""; }; }; }; }; };
};
CONF
start_belfryd || exit 1
eventually 10 check_is redis/server state OK
end_process "$redis"
eventually 15 check_is redis/server breaker.state open
eventually 15 check_is billing/queue breaker.state open
unset NO_COLOR
script -qec "stty cols 110; TERM=xterm-256color $belfry -c $scratch/belfry.conf status" /dev/null >"$scratch/board"
stop_belfryd
/usr/bin/python3 "$out/terminal.py" <"$scratch/board" >"$out/board.svg"
# ---- a graph of two made-up days
mkdir "$scratch/rrd"
until=1795262400
"$top_builddir/tests/peers/feed_recorder" "$top_builddir/belfry-recorder" "$scratch/rrd" "$until" >/dev/null 2>&1
for theme in light dark; do
    "$top_builddir/belfry-graph" --rrd "$scratch/rrd" --check redis/server --metric latency --since $((until - 86400)) --until "$until" \
        --theme "$theme" --format svg --out "$out/graph-$theme.svg"
done
cleanup
trap - EXIT
