#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# docker.sh [CONTAINERS]: how long one run of the docker plugin takes with so many running containers (200), without and with stats:
# against a recorded engine, and against a real one where root, dockerd and busybox are there. The target is 1 s for what containers do.
. "${top_srcdir:?run it by make bench}/tests/plugins/lib.sh" || exit 1
containers=${1:-200}
measure() { # NAME SOCKET ARGUMENTS...: five runs, one after the other
    local name=$1 socket=$2 all=() before after
    shift 2
    times >"$scratch/times"
    before=$(tail -n 1 "$scratch/times")
    for _ in 1 2 3 4 5; do
        run_plugin -t 60000 -k "$scratch/kept.${name%%,*}" docker socket="$socket" "$@"
        [ "$(metric running)" = "$containers" ] || { echo "$name: $verdict $text"; return 1; }
        all+=("$elapsed")
    done
    times >"$scratch/times"
    after=$(tail -n 1 "$scratch/times")
    /usr/bin/python3 - "$name" "$before" "$after" "${all[@]}" <<'PY'
import re, sys
def cpu(text):
    return sum(int(m) * 60 + float(s) for m, s in re.findall(r'(\d+)m([\d.]+)s', text))
name, before, after, *all = sys.argv[1:]
all = sorted(map(int, all))
print(f'{name:34} {all[0]} to {all[-1]} ms, median {all[len(all) // 2]} ms; {(cpu(after) - cpu(before)) / len(all) * 1000:.0f} ms of CPU')
PY
}

mkfifo "$scratch/hold"
/usr/bin/python3 "$top_srcdir/tests/bench/engine.py" "$scratch/recorded.sock" "$containers" <"$scratch/hold" >"$scratch/ready" &
started_pids+=($!)
exec 9>"$scratch/hold"
eventually 20 grep -q ready "$scratch/ready" || exit 1
measure "recorded, state and health" "$scratch/recorded.sock"
measure "recorded, findings" "$scratch/recorded.sock" findings=true
measure "recorded, stats" "$scratch/recorded.sock" stats=true

if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null || ! command -v docker >/dev/null || [ ! -x /bin/busybox ]; then
    echo "a real engine: needs root, dockerd, docker and busybox"
    exit 0
fi
export DOCKER_HOST=unix://$scratch/real.sock
unset DOCKER_TLS_VERIFY DOCKER_CONTEXT
mkdir -p "$scratch/r/bin"
setsid dockerd --data-root="$scratch/e/root" --exec-root="$scratch/e/exec" -p "$scratch/pid" -H "$DOCKER_HOST" --iptables=false \
    --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none >"$scratch/e.log" 2>&1 9>&- &
engine_pid=$!
started_pids+=("$engine_pid")
leave() {
    docker ps -aq | xargs -r -n 20 docker rm -f >/dev/null 2>&1
    kill "$engine_pid" 2>/dev/null
    wait "$engine_pid" 2>/dev/null
    awk -v at="$scratch/e/" 'index($2, at) == 1 { print $2 }' /proc/mounts | xargs -r umount 2>/dev/null
}
trap 'leave; cleanup' EXIT
eventually 30 docker version || { echo "a real engine: it did not start"; exit 0; }
cp /bin/busybox "$scratch/r/bin"
ln "$scratch/r/bin/busybox" "$scratch/r/bin/sleep"
tar -C "$scratch/r" -c . | docker import -c 'CMD ["/bin/sleep","1000000"]' - bb:1 >/dev/null
seq "$containers" | xargs -P 4 -I{} docker run -d --name c{} --network none bb:1 >/dev/null 2>&1
docker version -f 'real engine: Docker {{.Server.Version}}, API {{.Server.APIVersion}}'
measure "real, state and health" "$scratch/real.sock"
measure "real, findings" "$scratch/real.sock" findings=true
measure "real, stats" "$scratch/real.sock" stats=true
