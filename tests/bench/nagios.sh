#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# nagios.sh [SERVICES] [SECONDS]: CPU time per check of Nagios Core 4 with check_tcp and of Belfry with its tcp plugin, on the same targets
# (local TCP ports), each alone, one after the other, every service once a second.
. "${top_srcdir:?run it by make bench}/tests/lib.sh" || exit 1
. "$top_srcdir/tests/nagios.sh"
services=${1:-100} seconds=${2:-20}
command -v nagios4 >/dev/null && [ -x /usr/lib/nagios/plugins/check_tcp ] || { echo "needs nagios4-core and monitoring-plugins-basic"; exit 1; }
cpu() { /usr/bin/python3 "$top_srcdir/tests/bench/cpu.py" "$1"; }

/usr/bin/python3 - "$scratch/ports" <<'PY' &
import selectors, socket, sys
sel = selectors.DefaultSelector()
ports = []
for _ in range(10):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(512)
    s.setblocking(False)
    sel.register(s, selectors.EVENT_READ)
    ports.append(s.getsockname()[1])
open(sys.argv[1] + ".new", "w").write(" ".join(map(str, ports)))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    for key, _ in sel.select():
        try:
            key.fileobj.accept()[0].close()
        except OSError:
            pass
PY
started_pids+=($!)
eventually 5 test -f "$scratch/ports"
read -r -a ports <"$scratch/ports"

# ---- Nagios
n=$scratch/nagios
{
    nagios_command tcp '/usr/lib/nagios/plugins/check_tcp -H 127.0.0.1 -p $ARG1$ -t 5'
    for ((i = 0; i < services; i++)); do nagios_service "s$i" "tcp!${ports[$((i % 10))]}"; done
} | nagios_conf "$n"
nagios4 -v "$n/nagios.cfg" >"$n/verify" || { tail -n 20 "$n/verify"; exit 1; }
nagios4 "$n/nagios.cfg" >/dev/null 2>&1 &
nagios=$!
started_pids+=("$nagios")
sleep 10
results() { /usr/bin/python3 - "$n/var/status.dat" <<'PY'
import re, sys
# active service checks of the last minute, as Nagios counts them
m = re.search(r"active_scheduled_service_check_stats=(\d+),(\d+),(\d+)", open(sys.argv[1]).read())
print(m.group(1) if m else 0)
PY
}
sleep 52 # a full minute, for its own counter
cpu0=$(cpu "$nagios")
sleep "$seconds"
cpu1=$(cpu "$nagios")
sleep 11
per_minute=$(results)
nagios_rate=$(/usr/bin/python3 -c "print($per_minute / 60)")
end_process "$nagios"

# ---- Belfry
mkdir -p "$scratch/plugins"
{
    echo 'services: { tcp: { checks: {'
    for ((i = 0; i < services; i++)); do echo "  s$i: { plugin = \"tcp\"; host = \"127.0.0.1\"; port = ${ports[$((i % 10))]}; };"; done
    echo '}; }; };'
} >"$scratch/services.conf"
{ echo 'defaults: { every = "1s"; timeout = "1s"; };'; cat "$scratch/services.conf"; } | write_conf
start_belfryd || exit 1
runs() { b -o json status tcp | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["daemon"]["runs"])'; }
sleep 8
runs0=$(runs)
bcpu0=$(cpu "$belfryd_pid")
sleep "$seconds"
bcpu1=$(cpu "$belfryd_pid")
runs1=$(runs)
/usr/bin/python3 - "$nagios_rate" "$cpu0" "$cpu1" "$runs0" "$runs1" "$bcpu0" "$bcpu1" "$seconds" <<'PY'
import sys
rate, c0, c1, r0, r1, b0, b1, s = map(float, sys.argv[1:])
nagios = (c1 - c0) / (rate * s) * 1e6
belfry = (b1 - b0) / (r1 - r0) * 1e6
print(f"Nagios Core 4 + check_tcp: {rate:.0f} checks/s, {nagios:.0f} us of CPU per check")
print(f"Belfry + tcp:              {(r1 - r0) / s:.0f} checks/s, {belfry:.0f} us of CPU per check, samples recorded")
print(f"ratio: {nagios / belfry:.1f}")
PY
stop_belfryd
cleanup
trap - EXIT
