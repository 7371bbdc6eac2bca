/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry status - the board, or everything of one service. */
#include <time.h>

#include "core/cli/board.h"
#include "core/cli/control.h"

struct args {
    const char *subject;
    int64_t watch_ms; /* 0: once */
    bool verbose;
};

static const struct argument arguments[] = { { "SERVICE", "Show everything of this service or check (SERVICE/CHECK)",
                                               .target = offsetof(struct args, subject), .words = WORDS_SUBJECT },
                                             { 0 } };

static const struct option options[] = {
    { 'w', "watch", "[SECONDS]", "Show it again and again, every 2 seconds by default", .kind = OPTION_SECONDS,
      .target = offsetof(struct args, watch_ms), .fallback = "2" },
    { 'v', "verbose", NULL, "Count the recorder's samples, too", .kind = OPTION_FLAG,
      .target = offsetof(struct args, verbose) },
    { 0 }
};

static const char *const examples[] = { "belfry status",
                                        "the board: worst first",
                                        "belfry status redis",
                                        "all checks, parts and metrics of one service",
                                        "belfry status --watch",
                                        "the board, kept up to date",
                                        "belfry status -v",
                                        "the board, and what the recorder has done",
                                        NULL };

/* Since the recorder started; doc/time-series.md. */
static void print_recorder(struct cli *cli, const json_t *answer)
{
    static const struct {
        const char *name, *word;
        bool ends; /* they are what becomes of samples: the rest waits */
    } counts[] = {
        { "samples", "samples", false },    { "rows", "written", true },     { "coalesced", "coalesced", true },
        { "late", "late", true },           { "refused", "refused", true },  { "lost", "lost", true },
        { "dropped", "never sent", false }, { "updates", "updates", false }, { "migrated", "files migrated", false },
        { "aside", "set aside", false },
    };
    const json_t *samples = json_object_get(json_object_get(answer, "daemon"), "samples");
    int64_t waiting = control_integer(samples, "samples");
    buf_text(&cli->out, control_flag(samples, "running") ? "\nrecorder:" : "\nrecorder (not running):");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t count = control_integer(samples, counts[i].name);
        waiting -= counts[i].ends ? count : 0;
        buf_print(&cli->out, " %lld %s,", (long long)count, counts[i].word);
    }
    buf_print(&cli->out, " %lld waiting\n", (long long)(waiting > 0 ? waiting : 0));
}

static int show(struct cli *cli, const struct args *args)
{
    int status;
    json_t *answer = control_want(cli, json_pack("{ss ss*}", "verb", "status", "service", args->subject),
                                  CONTROL_TIMEOUT_MS, &status);
    if (answer == NULL)
        return status;
    status = (int)board_worst(answer);
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return status;
    }
    if (args->subject)
        detail_print(cli, answer);
    else
        board_print(cli, answer);
    if (args->verbose)
        print_recorder(cli, answer);
    json_decref(answer);
    return status;
}

/* Each picture has memory of its own; a daemon that is away for a moment does not end the watch. */
static void watch(const struct cli *cli, const struct args *args)
{
    struct timespec pause = { (time_t)(args->watch_ms / 1000), (long)(args->watch_ms % 1000) * 1000000 };
    for (;;) {
        struct cli picture = *cli;
        picture.arena = (struct arena){ 0 };
        picture.out = (struct buf){ 0 };
        term_setup(&picture.term);
        if (cli->term.terminal)
            buf_text(&picture.out, "\033[H\033[J");
        show(&picture, args);
        cli_flush(&picture);
        buf_close(&picture.out);
        arena_close(&picture.arena);
        nanosleep(&pause, NULL);
    }
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    if (args->watch_ms)
        watch(cli, args);
    return show(cli, args);
}

const struct verb verb_status = {
    .name = "status",
    .summary = "the board: worst first, with what is wrong unfolded",
    .description = "Without an argument: every service, those in trouble first and with the checks and parts that are "
                   "not OK. With one: everything that is known of it, with metrics and thresholds. The exit status is "
                   "the Nagios code of the worst state.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .exit = VERB_STATE,
    .run = run,
};
