# SPDX-License-Identifier: GPL-3.0-or-later
# mariadbd.sh - real MariaDB servers for the plugins' tests. Sourced after lib.sh; fails where there is none.
mariadbd=$(command -v mariadbd) || mariadbd=/usr/sbin/mariadbd
[ -x "$mariadbd" ] && command -v mariadb-install-db >/dev/null || return 1

make_data() { # NAME
    mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$scratch/$1" --skip-test-db \
        --auth-root-authentication-method=normal --innodb-log-file-size=16M >"$scratch/$1.install" 2>&1
}
start_server() { # NAME OPTIONS...: its pid is server_pid
    local name=$1
    shift
    background "$mariadbd" --no-defaults --user="$(id -un)" --datadir="$scratch/$name" --socket="$scratch/$name.sock" \
        --pid-file="$scratch/$name.pid" --log-error="$scratch/$name.err" --tmpdir="$scratch" \
        --innodb-buffer-pool-size=32M --innodb-log-file-size=16M --performance-schema=OFF "$@" >/dev/null 2>&1
    server_pid=$background_pid
    eventually 30 sql "$name" 'select 1'
}
sql() { mariadb --no-defaults -N -S "$scratch/$1.sock" -uroot -e "$2" 2>>"$scratch/sql.log"; }
