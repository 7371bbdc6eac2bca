/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server_mariadb - mariadbd with nothing that reaches out: no network, no binary log, no replication, no events, no
 * files (secure_file_priv is an empty folder), no LOAD DATA LOCAL on either side, no plugins from elsewhere. What a
 * dump brings (definers, users, events) is data to it. Durability is off: nothing here is kept. */
#include <string.h>

#include "core/drill/format.h"
#include "core/drill/server.h"

#define POOL_LEAST (INT64_C(32) << 20)
#define POOL_MOST (INT64_C(4) << 30)

static int install(struct run *run)
{
    if (run->kind->server_last) /* its files are what was restored */
        return 0;
    struct tool tool = { .argv = { "mariadb-install-db", "--no-defaults" }, .phase = PHASE_START };
    struct buf out = { .max_bytes = 65536 };
    tool_add(&tool, arena_print(&run->arena, "--datadir=%s", run->data));
    tool_add(&tool, "--auth-root-authentication-method=normal");
    tool_add(&tool, "--skip-test-db");
    tool_add(&tool, "--skip-name-resolve");
    tool_add(&tool, "--innodb-log-file-size=16M");
    tool_add(&tool, arena_print(&run->arena, "--tmpdir=%s/tmp", run->folder));
    int code = tool_run(run, &tool, &out, 120000);
    buf_close(&out);
    return code == 0 ? 0 : run_fail(run, PHASE_START, "%s", tool_complaint(run, &tool));
}

static int command(struct run *run, struct tool *tool)
{
    static const char *const fixed[] = {
        "--skip-networking",
        "--skip-log-bin",
        "--skip-slave-start",
        "--event-scheduler=OFF",
        "--local-infile=0",
        "--skip-name-resolve",
        "--skip-symbolic-links",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-flush-method=nosync",
        "--performance-schema=OFF",
        "--max-allowed-packet=1G",
        "--sql-mode=",
        "--lower-case-table-names=0",
        "--innodb-log-file-size=256M",
        "--innodb-strict-mode=OFF",
    };
    int64_t pool = run->config->memory_bytes / 2;
    pool = pool < POOL_LEAST ? POOL_LEAST : pool > POOL_MOST ? POOL_MOST : pool;
    tool->argv[0] = "mariadbd";
    tool_add(tool, "--no-defaults");
    tool_add(tool, arena_print(&run->arena, "--datadir=%s", run->data));
    tool_add(tool, arena_print(&run->arena, "--socket=%s", server_socket(run)));
    tool_add(tool, arena_print(&run->arena, "--pid-file=%s/pid", run->data));
    tool_add(tool, arena_print(&run->arena, "--tmpdir=%s/tmp", run->folder));
    tool_add(tool, arena_print(&run->arena, "--secure-file-priv=%s/none", run->folder));
    tool_add(tool, arena_print(&run->arena, "--plugin-dir=%s/none", run->folder));
    tool_add(tool, arena_print(&run->arena, "--innodb-buffer-pool-size=%lld", (long long)pool));
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        tool_add(tool, fixed[i]);
    for (size_t i = 0; run->server_options[i]; i++)
        tool_add(tool, run->server_options[i]);
    if (run->open_server)
        tool_add(tool, "--skip-grant-tables");
    return 0;
}

static int client(struct run *run, struct tool *tool, const char *database, const char *question)
{
    tool->argv[0] = "mariadb";
    tool_add(tool, "--no-defaults");
    tool_add(tool, arena_print(&run->arena, "--socket=%s", server_socket(run)));
    tool_add(tool, "--user=root");
    tool_add(tool, "--batch");
    tool_add(tool, "--skip-column-names");
    tool_add(tool, "--local-infile=0");
    if (database)
        tool_add(tool, arena_print(&run->arena, "--database=%s", database));
    tool_add(tool, "--execute");
    tool_add(tool, question);
    return 0;
}

const struct server_type server_mariadb = {
    .name = "mariadbd",
    .install = install,
    .command = command,
    .client = client,
    .ping = "SELECT 1",
    .pong = "1",
    .version = "SELECT VERSION()",
    .tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN "
              "('mysql', 'information_schema', 'performance_schema', 'sys')",
    /* a question for CREATE_TIME makes it open each table, and not only read its .frm */
    .broken = "SELECT GROUP_CONCAT(TABLE_SCHEMA, '.', TABLE_NAME SEPARATOR ', ') FROM information_schema.TABLES WHERE "
              "TABLE_TYPE = 'BASE TABLE' AND ENGINE IS NULL AND CREATE_TIME IS NULL",
    .checksum = "CHECKSUM TABLE %s EXTENDED",
    .quote = '`',
    .epoch = "SELECT UNIX_TIMESTAMP((%s))",
};
