/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard - what makes a rewritten or shortened journal visible: seals (core/journal/seal.c; state_dir/journal.key), and
 * anchors. An anchor is a journal.anchored record; once it is on disk, its number and hash are handed to belfry-anchor,
 * which writes them to the configured sinks and is given a minute. A sink that fails is a journal.anchor_failed record
 * and tried again when the next anchor is due.
 *
 * Diagnostics: `the journal is sealed, epoch N`, journal.suspect: what seal_open() found, `journal.anchor_failed`. */
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
#include "core/journal/anchor.h"
#include "core/keeper/keeper.h"

#define ANCHOR_LIMIT_MS 60000

struct anchor {
    struct anchor_config config; /* file is the keeper's configuration's */
    int64_t due_ms;
    struct journal_anchor head; /* seq 0: nothing waits */
    int64_t wall_ms;
    pid_t pid; /* of belfry-anchor; 0: none runs */
    int64_t end_ms;
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

static const char *sinks_text(const struct anchor_config *config)
{
    return config->syslog && config->file ? "syslog, file" : config->syslog ? "syslog" : "file";
}

static void begin_anchor(struct keeper *keeper, struct anchor *anchor, int64_t now_ms)
{
    const struct event event = { .type = EVENT_JOURNAL_ANCHORED, .name = sinks_text(&anchor->config) };
    anchor->due_ms = now_ms + anchor->config.every_ms;
    keeper_emit(keeper, &event);
    anchor->wall_ms = clock_wall_ms();
    anchor->head.seq = journal_last(keeper->journal);
    text_copy(anchor->head.hash, sizeof anchor->head.hash, journal_head(keeper->journal));
    text_copy(anchor->head.journal, sizeof anchor->head.journal, journal_id(keeper->journal));
}

static void fail(struct keeper *keeper, const char *text)
{
    const struct event event = { .type = EVENT_JOURNAL_ANCHOR_FAILED, .text = text };
    keeper_emit(keeper, &event);
}

/* Its record is on disk: now the head may be told. */
static void send_anchor(struct keeper *keeper, struct anchor *anchor, int64_t now_ms)
{
    char line[ANCHOR_LINE_SIZE];
    const char *argv[8] = { "belfry-anchor" };
    size_t n = 1;
    if (anchor->config.syslog)
        argv[n++] = "--syslog";
    if (anchor->config.file) {
        argv[n++] = "--file";
        argv[n++] = anchor->config.file;
    }
    argv[n] = anchor_format(line, &anchor->head, anchor->wall_ms);
    const struct spawn_limit limits[] = { { RLIMIT_CORE, 0 } };
    const int fds[] = { -1, 2 };
    const struct spawn spawn = { .program = spawn_member("belfry-anchor"),
                                 .argv = argv,
                                 .fds = fds,
                                 .fd_count = 2,
                                 .limits = limits,
                                 .limit_count = 1,
                                 .no_new_privs = 1,
                                 .die_with_parent = 1 };
    anchor->pid = spawn_start(&spawn);
    anchor->head.seq = 0;
    anchor->end_ms = now_ms + ANCHOR_LIMIT_MS;
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
    if (anchor->end_ms != INT64_MAX && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail(keeper, "a sink could not be written, see the log");
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
