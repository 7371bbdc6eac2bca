/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server_redis - redis-server without a port, that saves nothing and drops nothing: it must hold all that was restored
 * in the memory that the drill allows. A question is a command, its words separated by blanks. */
#include <string.h>

#include "core/drill/format.h"

#include "core/drill/server.h"

static int command(struct run *run, struct tool *tool)
{
    bool log = strcmp(run->kind->name, "redis-aof") == 0;
    const struct {
        const char *name, *value;
    } settings[] = {
        { "--port", "0" },
        { "--unixsocket", server_socket(run) },
        { "--dir", run->data },
        { "--dbfilename", "dump.rdb" },
        { "--appendonly", log ? "yes" : "no" },
        { "--appendfilename", "appendonly.aof" },
        { "--aof-load-truncated", "no" },
        { "--save", "" },
        { "--daemonize", "no" },
        { "--maxmemory", arena_print(&run->arena, "%lld", (long long)run->config->memory_bytes) },
        { "--maxmemory-policy", "noeviction" },
        { "--enable-module-command", "no" },
    };
    tool->argv[0] = "redis-server";
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        tool_add(tool, settings[i].name);
        tool_add(tool, settings[i].value);
    }
    return 0;
}

static int client(struct run *run, struct tool *tool, const char *database, const char *question)
{
    char *words = arena_text(&run->arena, question), *rest = words;
    (void)database;
    tool->argv[0] = "redis-cli";
    tool_add(tool, "-s");
    tool_add(tool, server_socket(run));
    tool_add(tool, "-e");
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        tool_add(tool, word);
    return 0;
}

const struct server_type server_redis = {
    .name = "redis-server",
    .command = command,
    .client = client,
    .ping = "PING",
    .pong = "PONG",
    .version = "EVAL return('Redis\\32'..redis.REDIS_VERSION) 0",
    .tables = "DBSIZE",
};
