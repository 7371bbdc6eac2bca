# SPDX-License-Identifier: GPL-3.0-or-later
# redis.sh - real Redis servers for the tests of the redis plugin, on top of tests/plugins/lib.sh. Sourced.
server=$(command -v redis-server)

# start_redis NAME ARGUMENTS...: sets redis_pid and redis_port; it answers when this returns
start_redis() {
    local name=$1
    shift
    redis_port=$(free_port)
    mkdir -p "$scratch/$name"
    background "$server" --port "$redis_port" --bind 127.0.0.1 --unixsocket "$scratch/$name.sock" \
        --dir "$scratch/$name" --save '' --logfile "$scratch/$name.log" "$@"
    redis_pid=$background_pid
    eventually 20 grep -q 'accept connections' "$scratch/$name.log"
}
cli() { redis-cli -p "$redis_port" "$@" 2>/dev/null; }
says() { # PORT COMMAND... REGEX: whether the server's answer has a line like it
    local port=$1 regex=${*: -1}
    redis-cli -p "$port" "${@:2:$#-2}" 2>&1 | grep -Eq -- "$regex"
}
