/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch - see fetch.h. What a tool is told in secret (a key, a signed link, an rclone.conf) it reads from descriptor 3,
 * a file in memory: no list of processes shows it. */
#include "core/drill/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define HEAR_MS 200
#define LAST_MS 30000 /* for a tool that has sent everything */
#define PIPE_BYTES (1 << 20)
#define KEEPER_SOCKET 3

struct fetcher {
    struct run run;
    struct outcome outcome; /* of its own: what fails here is said by the runner */
    int socket;
    const struct fetch_scheme *scheme;
    struct fetch_choice choice;
    struct tool tool;
};

/* ---- for the schemes --------------------------------------------------------------------------------------------- */

void fetch_consider(struct run *run, struct fetch_choice *out, const struct fetch_choice *one)
{
    unsigned count = out->count + 1;
    if (source_wants(run, count, out->id[0] ? &out->wall_ms : NULL, one->wall_ms, one->id, one->name))
        *out = *one;
    out->count = count;
}

int fetch_prepare(struct run *run, struct tool *tool, const char *text)
{
    static const char *const certificates[] = { "SSL_CERT_FILE", "SSL_CERT_DIR" };
    size_t n = 0;
    while (tool->env[n])
        n++;
    for (size_t i = 0; i < 2 && n + 1 < TOOL_ENV_MAX; i++)
        if (getenv(certificates[i]))
            tool->env[n++] = arena_print(&run->arena, "%s=%s", certificates[i], getenv(certificates[i]));
    tool->phase = PHASE_FETCH;
    tool->folder = "/"; /* the scratch folder may lie where only root gets at it */
    tool->dies_with_us = true;
    tool->key_fd = tool_memory(run, PHASE_FETCH, text);
    return tool->key_fd < 0 ? -1 : 0;
}

int fetch_tell(struct run *run, struct tool *tool, const char *text, struct buf *out)
{
    int code = fetch_prepare(run, tool, text);
    if (code == 0)
        code = tool_run(run, tool, out, 2 * run->config->stall_ms + LAST_MS);
    if (tool->key_fd > 0)
        close(tool->key_fd);
    if (code != 0)
        return run_fail(run, PHASE_FETCH, "%s", tool_complaint(run, tool));
    return out->overflowed ? run_fail(run, PHASE_FETCH, "%s tells more than is read", tool->argv[0]) : 0;
}

int64_t fetch_time(const char *text)
{
    struct tm tm = { 0 };
    int used = 0, hours = 0, minutes = 0;
    if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                        &tm.tm_min, &tm.tm_sec, &used) != 6)
        return 0;
    text += used;
    if (*text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    char sign = *text;
    if (sign != 'Z' && !((sign == '+' || sign == '-') && sscanf(text + 1, "%2d:%2d", &hours, &minutes) == 2))
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t offset = (int64_t)hours * 3600 + minutes * 60, at = (int64_t)timegm(&tm);
    return (at + (sign == '-' ? offset : -offset)) * 1000;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void answer(struct fetcher *f, bool good, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct fetch_answer out = { .good = good, .cpu_ms = f->outcome.tool_cpu_ms[PHASE_FETCH], .choice = f->choice };
    struct iovec part = { &out, sizeof out };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    text_copy(out.why, sizeof out.why, f->outcome.why);
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.head = (struct cmsghdr){ CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    if (sendmsg(f->socket, &message, MSG_NOSIGNAL) < 0)
        _exit(1); /* the runner has gone */
}

static void end_tool(struct fetcher *f)
{
    if (f->tool.pid > 0)
        tool_kill(&f->run, &f->tool);
    f->tool = (struct tool){ 0 };
}

/* The tool, writing into a pipe; its reading end, or -1 after run_fail(). */
static int start_tool(struct fetcher *f)
{
    int fds[2];
    end_tool(f);
    if (f->scheme->open(&f->run, &f->choice, &f->tool) != 0)
        return -1;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return run_fail(&f->run, PHASE_FETCH, "no pipe: %s", strerror(errno));
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* as much as is allowed */
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    f->tool.out = fds[1];
    int code = tool_start(&f->run, &f->tool);
    close(fds[1]);
    close(f->tool.key_fd);
    f->tool.key_fd = 0;
    if (code == 0)
        return fds[0];
    close(fds[0]);
    return -1;
}

static void open_backup(struct fetcher *f)
{
    int fd = start_tool(f);
    answer(f, fd >= 0, fd);
    if (fd >= 0)
        close(fd);
}

static void tell_end(struct fetcher *f)
{
    int64_t until_ms = clock_now_ms() + LAST_MS;
    bool late = false;
    while (!tool_ended(&f->run, &f->tool)) {
        tool_hear(&f->tool);
        late = clock_now_ms() >= until_ms;
        if (late)
            tool_kill(&f->run, &f->tool);
        poll(NULL, 0, 5);
    }
    if (late)
        run_fail(&f->run, PHASE_FETCH, "%s does not end", f->tool.argv[0]);
    else if (!tool_good(&f->tool))
        run_fail(&f->run, PHASE_FETCH, "%s", tool_complaint(&f->run, &f->tool));
    answer(f, f->outcome.result != DRILL_FAILED, -1);
}

static void handle(struct fetcher *f, char request)
{
    f->outcome.result = DRILL_RUNNING;
    f->outcome.why[0] = '\0';
    if (request == FETCH_FIND)
        answer(f, f->scheme->find(&f->run, &f->choice) == 0, -1);
    else if (request == FETCH_OPEN && f->choice.id[0])
        open_backup(f);
    else if (request == FETCH_END && f->tool.pid > 0)
        tell_end(f);
    else
        _exit(1);
}

/* ---- the process ------------------------------------------------------------------------------------------------- */

/* Its tools find a home of their own; nothing else may be written. */
static bool settle(struct fetcher *f)
{
    char path[PATH_MAX];
    if (scratch_folder(&f->run, "fetch", path) != 0)
        return false;
    text_copy(f->run.folder, sizeof f->run.folder, path);
    f->run.outcome = &f->outcome;
    f->run.arena = (struct arena){ 0 };
    f->scheme = strncmp(f->run.config->source, fetch_panel.prefix, strlen(fetch_panel.prefix)) == 0 ? &fetch_panel
                                                                                                    : &fetch_rclone;
    isolate_sandbox(&f->run);
    return true;
}

static _Noreturn void serve(struct fetcher *f)
{
    char request;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (!settle(f))
        _exit(1);
    for (;;) {
        struct pollfd ready = { f->socket, POLLIN, 0 };
        if (f->tool.pid > 0)
            tool_hear(&f->tool);
        if (poll(&ready, 1, HEAR_MS) <= 0)
            continue;
        if (recv(f->socket, &request, 1, 0) != 1)
            _exit(0);
        handle(f, request);
    }
}

pid_t fetch_start(struct run *run)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        struct fetcher *f = heap_alloc(sizeof *f);
        close(KEEPER_SOCKET);
        close(pair[0]);
        f->run = *run;
        f->socket = pair[1];
        serve(f);
    }
    int code = errno;
    close(pair[1]);
    run->fetch_fd = pair[0];
    return pid > 0 ? pid : -code;
}
