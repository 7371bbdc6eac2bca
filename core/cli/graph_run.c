/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph_run - runs belfry-graph, the process that reads RRD files and draws, and takes what it prints: librrd stays out
 * of this program, and what it says is bounded. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/spawn.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/past.h"
#include "core/cli/places.h"

#define CHUNK_BYTES 65536
#define OUT_BYTES_MAX (64u << 20)
#define TIME_MAX_S 253402300799
#define PATIENCE_MS 2000    /* with the daemon */
#define SAID_BYTES_MAX 4096 /* of stderr; more is dropped */

/* One of its two streams. */
struct stream {
    int ends[2];
    struct buf *into;
    bool drops; /* what does not fit; else that ends it */
};

/* What it has written by now; closes the stream at its end. */
static void take(struct stream *stream)
{
    char chunk[CHUNK_BYTES];
    ssize_t n = read(stream->ends[0], chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
        return;
    if (n > 0)
        buf_add(stream->into, chunk, (size_t)n);
    if (n > 0 && (stream->drops || !stream->into->overflowed))
        return;
    close(stream->ends[0]);
    stream->ends[0] = -1;
}

static void take_all(struct stream streams[2])
{
    while (streams[0].ends[0] >= 0 || streams[1].ends[0] >= 0) {
        struct pollfd fds[] = { { .fd = streams[0].ends[0], .events = POLLIN },
                                { .fd = streams[1].ends[0], .events = POLLIN } };
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                take(&streams[i]);
    }
}

static void close_pipes(struct stream streams[2])
{
    for (int i = 0; i < 4; i++)
        if (streams[i / 2].ends[i % 2] >= 0)
            close(streams[i / 2].ends[i % 2]);
}

/* Its wait status, or why it did not start. past: its descriptor 3, or -1. */
static int execute(const char *const *argv, int past, struct buf *out, struct buf *said, int *status)
{
    struct stream streams[] = { { { -1, -1 }, out, false }, { { -1, -1 }, said, true } };
    pid_t pid = -1;
    if (pipe2(streams[0].ends, O_CLOEXEC) == 0 && pipe2(streams[1].ends, O_CLOEXEC) == 0) {
        const int fds[] = { streams[0].ends[1], streams[1].ends[1], past };
        pid = spawn_start(&(struct spawn){
            .program = spawn_member(argv[0]), .argv = argv, .fds = fds, .fd_count = past < 0 ? 2 : 3 });
    } else {
        pid = -errno;
    }
    for (int i = 0; i < 2 && pid >= 0; i++) {
        close(streams[i].ends[1]);
        streams[i].ends[1] = -1;
    }
    if (pid >= 0)
        take_all(streams);
    close_pipes(streams);
    if (pid < 0)
        return (int)pid;
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* The last line, "belfry-graph: no metric 'x' ...\n", without its ends. */
static const char *tell_refusal(char *said)
{
    static const char name[] = "belfry-graph: ";
    size_t length = strlen(said);
    while (length && said[length - 1] == '\n')
        said[--length] = '\0';
    const char *line = strrchr(said, '\n'), *text = line ? line + 1 : said;
    text += strncmp(text, name, sizeof name - 1) == 0 ? sizeof name - 1 : 0;
    return *text ? text : "belfry-graph ended without an answer";
}

static int run(struct cli *cli, const char *const *argv, int past, struct buf *out, struct why *why)
{
    struct buf heard = { 0 }, *said = &heard;
    int status = 0, code;
    out->max_bytes = OUT_BYTES_MAX;
    said->max_bytes = SAID_BYTES_MAX;
    buf_text(said, "");
    code = execute(argv, past, out, said, &status);
    if (code < 0)
        why_say(why, code, "can't start belfry-graph: %s", error_text(code));
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        code = why_say(why, ERROR_REFUSED, "%s", tell_refusal(said->data));
    else
        fputs(cli_visible_lines(cli, said->data), stderr); /* what was left out */
    buf_close(said);
    return code;
}

static const char *print_seconds(struct cli *cli, int64_t ms)
{
    return arena_print(&cli->arena, "%lld", (long long)(ms / 1000));
}

/* The breaker that the check stands behind: a running daemon knows; else it is taken for the check's own. */
static const char *find_breaker(struct cli *cli, const char *check)
{
    json_t *answer, *request = json_pack("{ss ss}", "verb", "query", "subject", check);
    if (control_ask(cli, request, PATIENCE_MS, &answer, NULL) != 0)
        return check;
    const json_t *first = json_array_get(control_list(answer, "checks"), 0);
    const char *name = control_text(cli, json_object_get(first, "breaker"), "name");
    json_decref(answer);
    return *name ? name : check;
}

/* A descriptor with what happened, or -1: without it the picture is drawn all the same. */
static int open_past(struct cli *cli, const struct graph_request *request, const char *journal)
{
    struct why why = { "" };
    if (!request->history)
        return -1;
    const struct past past = { .check = request->check,
                               .part = request->part,
                               .breaker = find_breaker(cli, request->check),
                               .since_ms = request->since_ms,
                               .until_ms = request->until_ms };
    int fd = past_open(cli, journal, &past, &why);
    if (fd < 0 && fd != -ENOENT)
        fprintf(stderr, "belfry: without states and marks: %s\n", cli_visible(cli, why.text));
    return fd < 0 ? -1 : fd;
}

int graph_run(struct cli *cli, const struct graph_request *request, struct buf *out, struct why *why)
{
    struct arena *arena = &cli->arena;
    struct places places;
    const char **argv = arena_array(arena, 40 + 2 * request->metric_count, sizeof *argv);
    size_t n = 0;
    int code = places_find(cli, &places, why);
    if (code != 0)
        return code;
    int past = open_past(cli, request, places.journal);
    const char *pairs[][2] = {
        { "--rrd", places.rrd },
        { "--check", request->check },
        { "--part", request->part },
        { "--draw", request->name },
        { "--since", print_seconds(cli, request->since_ms) },
        { "--until", print_seconds(cli, request->until_ms) },
        { "--export", request->function },
        { "--step", print_seconds(cli, request->step_ms + 999) },
        { "--format", request->format },
        { "--theme", request->theme },
        { "--size", request->size },
        { "--compare", request->compare_ms ? print_seconds(cli, request->compare_ms) : NULL },
        { "--percentile", request->percentile },
        { "--baseline", request->baseline ? "always" : NULL },
        { "--history", past < 0 ? NULL : "/proc/self/fd/3" },
        { "--out", request->file ? places_absolute(cli, request->file) : NULL },
    };
    argv[n++] = "belfry-graph";
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i][1] == NULL)
            continue;
        argv[n++] = pairs[i][0];
        argv[n++] = pairs[i][1];
    }
    for (size_t i = 0; i < request->metric_count; i++) {
        argv[n++] = "--metric";
        argv[n++] = request->metrics[i];
    }
    if (request->list)
        argv[n++] = "--list";
    code = run(cli, argv, past, out, why);
    if (past >= 0)
        close(past);
    return code;
}

int graph_ask(struct cli *cli, const struct graph_request *request, json_t **out, struct why *why)
{
    struct buf said = { 0 };
    int code = graph_run(cli, request, &said, why);
    *out = code == 0 ? json_loadb(said.data ? said.data : "", said.length, 0, NULL) : NULL;
    buf_close(&said);
    if (code == 0 && *out == NULL)
        code = why_say(why, ERROR_PROTOCOL, "belfry-graph's answer is no JSON");
    return code;
}

bool graph_is_time(int64_t seconds)
{
    return seconds >= 0 && seconds <= TIME_MAX_S;
}
