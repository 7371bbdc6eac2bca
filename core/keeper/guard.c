/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard - what makes a rewritten or shortened journal visible: seals (core/journal/seal.c; state_dir/journal.key), and
 * anchors. An anchor is a journal.anchored record; once it is on disk, its number and hash are handed to belfry-anchor,
 * which writes them to the configured sinks and is given a minute. A sink that fails is a journal.anchor_failed record
 * and tried again when the next anchor is due. A webhook that said that it is gone is not asked again before a reload,
 * and each anchor tells of that. Status shows since when and why, until an anchor was noted down everywhere again.
 *
 * Diagnostics: `the journal is sealed, epoch N`, journal.suspect: what seal_open() found, `journal.anchor_failed`. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/config/config.h"
#include "core/journal/anchor.h"
#include "core/keeper/anchor_post.h"
#include "core/keeper/keeper.h"

#define ANCHOR_LIMIT_MS 60000
#define STATUS_GONE 3 /* of belfry-anchor */

struct anchor {
    struct anchor_config config; /* its texts are the keeper's configuration's */
    int64_t due_ms;
    struct journal_anchor head; /* seq 0: nothing waits */
    int64_t wall_ms;
    pid_t pid; /* of belfry-anchor; 0: none runs */
    int64_t end_ms;
    bool gone;         /* the webhook does not exist any more */
    bool failing;      /* some sink of the anchor under way */
    char failed[256];  /* why, of the last one that failed; "" when none has since */
    int64_t failed_ms; /* since when, of the wall clock */
};

/* ---- seals ----------------------------------------------------------------------------------------------------- */

static void open_seal(struct keeper *keeper)
{
    struct arena arena = { 0 };
    struct why trouble;
    const struct seal_options options = { .folder = file_join(&arena, keeper->config->state_dir, "journal"),
                                          .key_path = file_join(&arena, keeper->config->state_dir, "journal.key"),
                                          .every_ms = keeper->config->journal_seal_every_ms };
    keeper->seal = seal_open(keeper->journal, &options, clock_instant(), &trouble);
    if (keeper->seal)
        log_info("journal", "it is sealed");
    if (trouble.text[0]) {
        const struct event event = { .type = EVENT_JOURNAL_SUSPECT, .text = trouble.text };
        keeper_emit(keeper, &event);
    }
    arena_close(&arena);
}

static bool has_key(const struct keeper *keeper)
{
    struct arena arena = { 0 };
    bool has = access(file_join(&arena, keeper->config->state_dir, "journal.key"), F_OK) == 0;
    arena_close(&arena);
    return has;
}

void guard_open(struct keeper *keeper)
{
    open_seal(keeper);
}

/* ---- anchors --------------------------------------------------------------------------------------------------- */

#define SINKS_SIZE 32

static char *sinks_text(const struct anchor_config *config, char out[SINKS_SIZE])
{
    snprintf(out, SINKS_SIZE, "%s%s%s", config->syslog ? ", syslog" : "", config->file ? ", file" : "",
             config->webhook ? ", webhook" : "");
    return out + 2;
}

static void begin_anchor(struct keeper *keeper, struct anchor *anchor, int64_t now_ms)
{
    char sinks[SINKS_SIZE];
    const struct event event = { .type = EVENT_JOURNAL_ANCHORED, .name = sinks_text(&anchor->config, sinks) };
    anchor->due_ms = now_ms + anchor->config.every_ms;
    anchor->failing = false;
    keeper_emit(keeper, &event);
    anchor->wall_ms = clock_wall_ms();
    anchor->head.seq = journal_last(keeper->journal);
    text_copy(anchor->head.hash, sizeof anchor->head.hash, journal_head(keeper->journal));
    text_copy(anchor->head.journal, sizeof anchor->head.journal, journal_id(keeper->journal));
}

static void fail(struct keeper *keeper, const char *text)
{
    const struct event event = { .type = EVENT_JOURNAL_ANCHOR_FAILED, .text = text };
    struct anchor *anchor = keeper->anchor;
    if (!anchor->failed[0])
        anchor->failed_ms = clock_wall_ms();
    text_visible(anchor->failed, sizeof anchor->failed, text, false);
    anchor->failing = true;
    keeper_emit(keeper, &event);
}

/* The secret goes through a pipe, which it fits into. Its reading end, or a negative code. */
static int fill_pipe(const char *secret, struct why *why)
{
    int ends[2];
    size_t length = strlen(secret);
    if (length > ANCHOR_URL_MAX)
        return why_say(why, ERROR_LIMIT, "its URL is longer than %u bytes", ANCHOR_URL_MAX);
    int code = pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno;
    if (code < 0)
        return why_say(why, code, "%s", error_text(code));
    ssize_t n = write(ends[1], secret, length);
    close(ends[1]);
    if (n == (ssize_t)length)
        return ends[0];
    close(ends[0]);
    return why_say(why, -EIO, "%s", error_text(-EIO));
}

/* What belfry-anchor reads the webhook's URL from; -1: it is not to be posted to, which was told. */
static int open_webhook(struct keeper *keeper, const struct anchor *anchor)
{
    struct arena arena = { 0 };
    struct why why = { "it does not exist any more: make another one, and reload" };
    const char *url;
    char text[sizeof why.text + 32];
    int fd = anchor->gone ? ERROR_REFUSED : 0;
    if (fd == 0)
        fd = config_secret_read(keeper->config, &arena, "webhook", anchor->config.webhook, &url, &why);
    if (fd == 0) {
        fd = fill_pipe(url, &why);
        explicit_bzero((char *)(uintptr_t)url, strlen(url));
    }
    arena_close(&arena);
    if (fd >= 0)
        return fd;
    snprintf(text, sizeof text, "the webhook is not used: %s", why.text);
    fail(keeper, text);
    return -1;
}

/* The options of belfry-anchor; how many there are. */
static size_t write_options(const struct anchor_config *config, bool posts, const char **argv)
{
    size_t n = 0;
    if (config->syslog)
        argv[n++] = "--syslog";
    if (config->file) {
        argv[n++] = "--file";
        argv[n++] = config->file;
    }
    if (posts) {
        argv[n++] = "--webhook";
        argv[n++] = config->format;
    }
    return n;
}

/* Its record is on disk: now the head may be told. */
static void send_anchor(struct keeper *keeper, struct anchor *anchor, int64_t now_ms)
{
    char line[ANCHOR_LINE_SIZE];
    const char *argv[8] = { "belfry-anchor" };
    int url_fd = anchor->config.webhook ? open_webhook(keeper, anchor) : -1;
    size_t n = write_options(&anchor->config, url_fd >= 0, argv + 1);
    argv[n + 1] = anchor_format(line, &anchor->head, anchor->wall_ms);
    anchor->head.seq = 0;
    if (n == 0)
        return;
    const struct spawn_limit limits[] = { { RLIMIT_CORE, 0 } };
    const int fds[] = { -1, 2 };
    const struct spawn spawn = { .program = spawn_member("belfry-anchor"),
                                 .argv = argv,
                                 .fds = fds,
                                 .fd_count = 2,
                                 .input = url_fd >= 0 ? url_fd : 0,
                                 .limits = limits,
                                 .limit_count = 1,
                                 .no_new_privs = 1,
                                 .die_with_parent = 1 };
    anchor->pid = spawn_start(&spawn);
    anchor->end_ms = now_ms + ANCHOR_LIMIT_MS;
    if (url_fd >= 0)
        close(url_fd);
    if (anchor->pid < 0) {
        fail(keeper, error_text((int)anchor->pid));
        anchor->pid = 0;
    }
}

static void watch_anchor(struct keeper *keeper, struct anchor *anchor, int64_t now_ms)
{
    int status = 0;
    pid_t done = waitpid(anchor->pid, &status, WNOHANG);
    if (done == 0 && now_ms >= anchor->end_ms) {
        kill(anchor->pid, SIGKILL); /* and reaped when it can be */
        anchor->end_ms = INT64_MAX;
        fail(keeper, "belfry-anchor did not come to an end");
    }
    if (done == 0)
        return;
    anchor->pid = 0;
    anchor->gone = anchor->gone || (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_GONE);
    if (anchor->end_ms != INT64_MAX && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail(keeper, "a sink could not be written, see the log");
    if (!anchor->failing)
        anchor->failed[0] = '\0';
}

static void run_anchor(struct keeper *keeper, struct anchor *anchor, int64_t now_ms)
{
    if (anchor->pid != 0)
        watch_anchor(keeper, anchor, now_ms);
    else if (anchor->head.seq != 0 && journal_durable(keeper->journal) >= anchor->head.seq)
        send_anchor(keeper, anchor, now_ms);
    else if (anchor->head.seq == 0 && anchor->config.every_ms != 0 && now_ms >= anchor->due_ms)
        begin_anchor(keeper, anchor, now_ms);
}

json_t *guard_view(const struct keeper *keeper)
{
    const struct anchor *anchor = keeper->anchor;
    if (!anchor || !anchor->failed[0])
        return json_null();
    return json_pack("{s:s, s:I}", "text", anchor->failed, "since", (json_int_t)anchor->failed_ms);
}

bool guard_is_anchor(const struct keeper *keeper, pid_t pid)
{
    return keeper->anchor && keeper->anchor->pid == pid;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

void guard_configure(struct keeper *keeper)
{
    if (!keeper->seal && has_key(keeper))
        open_seal(keeper);
    seal_set_every(keeper->seal, keeper->config->journal_seal_every_ms);
    if (!keeper->anchor)
        keeper->anchor = heap_alloc(sizeof *keeper->anchor);
    keeper->anchor->config = keeper->config->journal_anchor;
    keeper->anchor->gone = false;
    if (keeper->anchor->config.every_ms == 0)
        keeper->anchor->failed[0] = '\0';
    int64_t latest_ms = clock_now_ms() + keeper->anchor->config.every_ms;
    if (keeper->anchor->due_ms > latest_ms)
        keeper->anchor->due_ms = latest_ms;
}

void guard_housekeeping(struct keeper *keeper, int64_t now_ms)
{
    if (journal_error(keeper->journal) != 0)
        return;
    seal_before(keeper->seal, clock_instant());
    if (keeper->anchor)
        run_anchor(keeper, keeper->anchor, now_ms);
}

void guard_close(struct keeper *keeper)
{
    if (keeper->anchor && keeper->anchor->pid > 0) {
        kill(keeper->anchor->pid, SIGKILL);
        waitpid(keeper->anchor->pid, NULL, WNOHANG);
    }
    free(keeper->anchor);
    keeper->anchor = NULL;
    seal_close(&keeper->seal, clock_instant());
}
