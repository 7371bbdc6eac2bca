/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server - the life of a scratch server: installed into a fresh folder, started, asked until it answers, ended. What it
 * says goes into server.log in the scratch folder; when it does not come up, the line that tells why is the reason. */
#include "core/drill/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/drill/format.h"

#define START_MS 120000
#define LOAD_MS 3600000 /* a server that loads what was restored before it answers */
#define ASK_MS 600000
#define STOP_MS 120000

static const char *last_words(struct run *run)
{
    char text[4096];
    int fd = openat(run->folder_fd, "server.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = size > (off_t)sizeof text - 1 ? size - (off_t)sizeof text + 1 : 0;
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, from) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    char *reason = strstr(text, "[ERROR]"); /* MariaDB says what follows from it behind it; PostgreSQL, other things */
    for (char *at = text; (at = strstr(at, "FATAL:")) != NULL; at++)
        reason = at;
    if (reason)
        reason[strcspn(reason, "\n")] = '\0';
    const char *line = strrchr(text, '\n');
    return arena_print(&run->arena, "%.300s", line ? line + 1 : text);
}

static bool is_gone(struct run *run)
{
    if (run->server_pid > 0 && waitpid(run->server_pid, NULL, WNOHANG) == run->server_pid)
        run->server_pid = 0;
    return run->server_pid == 0;
}

static int spawn_server(struct run *run)
{
    struct tool tool = { .phase = PHASE_START };
    int log = openat(run->folder_fd, "server.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (run->server->command(run, &tool) != 0)
        return -1;
    tool.out = log;
    tool.one_log = true;
    tool.folder = run->data;
    int code = tool_start(run, &tool);
    if (log >= 0)
        close(log);
    if (code == 0) {
        close(tool.said_fd);
        run->server_pid = tool.pid;
    }
    return code;
}

static bool answers(struct run *run)
{
    char answer[256];
    return server_ask(run, run->server->ping, answer, sizeof answer) == 0 &&
           strncmp(answer, run->server->pong, strlen(run->server->pong)) == 0;
}

static int bring_up(struct run *run)
{
    const struct server_type *type = run->server;
    int64_t end_ms = clock_now_ms() + (run->kind->server_last ? LOAD_MS : START_MS);
    if (spawn_server(run) != 0)
        return -1;
    while (!answers(run)) {
        if (is_gone(run))
            return run_fail(run, run->kind->server_last ? PHASE_RESTORE : PHASE_START, "%s did not start: %s",
                            type->name, last_words(run));
        if (clock_now_ms() >= end_ms)
            return run_fail(run, PHASE_START, "%s does not answer: %s", type->name, last_words(run));
        poll(NULL, 0, 50);
    }
    return 0;
}

int server_start(struct run *run)
{
    const struct server_type *type = run->server;
    run_begin(run, PHASE_START);
    if ((type->install && type->install(run) != 0) || bring_up(run) != 0)
        return -1;
    server_ask(run, type->version, run->outcome->server, sizeof run->outcome->server);
    return 0;
}

int server_reopen(struct run *run)
{
    int64_t end_ms = clock_now_ms() + STOP_MS;
    if (run->server_pid > 0)
        kill(run->server_pid, SIGTERM);
    while (!is_gone(run) && clock_now_ms() < end_ms)
        poll(NULL, 0, 20);
    server_stop(run);
    run->open_server = true;
    return bring_up(run);
}

int server_ask(struct run *run, const char *question, char *answer, size_t size)
{
    struct tool tool = { .phase = PHASE_ASSERT };
    struct buf out = { .max_bytes = 65536 };
    const char *database = run->outcome->one_database ? run->config->database : NULL;
    int code = run->server->client(run, &tool, database, question);
    if (code == 0)
        code = tool_run(run, &tool, &out, ASK_MS);
    text_copy(answer, size, code == 0 ? (out.data ? out.data : "") : tool_complaint(run, &tool));
    answer[strcspn(answer, "\n")] = '\0';
    buf_close(&out);
    return code;
}

void server_stop(struct run *run)
{
    if (run->server_pid <= 0)
        return;
    kill(run->server_pid, SIGKILL);
    waitpid(run->server_pid, NULL, 0);
    run->server_pid = 0;
}

const char *server_socket(struct run *run)
{
    return arena_print(&run->arena, "%s/sock", run->data);
}
