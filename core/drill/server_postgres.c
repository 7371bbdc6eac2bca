/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server_postgres - PostgreSQL on a unix socket only, without archiving, replication, background jobs or preloaded
 * libraries. It refuses to run as root: so do drills (`user`). Programs that a dump starts (COPY TO PROGRAM, psql's \!)
 * run in the sandbox, as the drill's user, without network. */
#include <string.h>

#include "core/drill/format.h"
#include "core/drill/server.h"

static int install(struct run *run)
{
    if (run->kind->server_last) /* its files are what was restored */
        return 0;
    struct tool tool = { .argv = { "initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8",
                                   "--locale=C.UTF-8", "--no-sync", "--no-instructions" },
                         .phase = PHASE_START };
    struct buf out = { .max_bytes = 65536 };
    tool_add(&tool, arena_print(&run->arena, "--pgdata=%s/pg", run->data));
    int code = tool_run(run, &tool, &out, 120000);
    buf_close(&out);
    return code == 0 ? 0 : run_fail(run, PHASE_START, "%s", tool_complaint(run, &tool));
}

static int command(struct run *run, struct tool *tool)
{
    static const char *const fixed[] = {
        "listen_addresses=",
        "jit=off",
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "archive_mode=off",
        "archive_command=",
        "restore_command=",
        "primary_conninfo=",
        "wal_level=minimal",
        "max_wal_senders=0",
        "shared_preload_libraries=",
        "dynamic_shared_memory_type=mmap",
        "unix_socket_permissions=0700",
        "log_destination=stderr",
    };
    int64_t buffers = run->config->memory_bytes / 4 / (1 << 20);
    tool->argv[0] = "postgres";
    tool_add(tool, "-D");
    tool_add(tool, arena_print(&run->arena, "%s/pg", run->data));
    tool_add(tool, "-k");
    tool_add(tool, run->data);
    tool_add(tool, "-B");
    tool_add(tool, arena_print(&run->arena, "%lldMB", (long long)buffers));
    for (size_t i = 0; run->server_options[i]; i++)
        tool_add(tool, run->server_options[i]);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        tool_add(tool, arena_print(&run->arena, "--%s", fixed[i]));
    return 0;
}

static int client(struct run *run, struct tool *tool, const char *database, const char *question)
{
    tool->argv[0] = "psql";
    tool_add(tool, "--no-psqlrc");
    tool_add(tool, "--host");
    tool_add(tool, run->data);
    tool_add(tool, "--username=postgres");
    tool_add(tool, "--tuples-only");
    tool_add(tool, "--no-align");
    tool_add(tool, "--quiet");
    tool_add(tool, "--dbname");
    tool_add(tool, database ? database : "postgres");
    tool_add(tool, "--command");
    tool_add(tool, question);
    return 0;
}

const struct server_type server_postgres = {
    .name = "postgres",
    .install = install,
    .command = command,
    .client = client,
    .ping = "SELECT 1",
    .pong = "1",
    .version = "SELECT 'PostgreSQL ' || current_setting('server_version')",
    .tables = "SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    .quote = '"',
    .epoch = "SELECT EXTRACT(EPOCH FROM (%s)::timestamptz)::bigint",
};
