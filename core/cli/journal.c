/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry journal - reads the journal's files; no daemon is needed, and a running one is not disturbed.
 *
 * tail and query print one line a record:
 *
 *     2026-11-21 03:12:09  12 min  redis/server  OK -> CRITICAL soft 1/2  127.0.0.1:6379: connection refused
 *
 * as story.c tells it; with -o json the raw lines as they stand in the file, for jq. What proves the journal (verify,
 * seal, head) is in proof.c, what hands it to others in export.c. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/filter.h"
#include "core/cli/places.h"
#include "core/cli/story.h"
#include "core/journal/journal.h"

#define FLUSH_BYTES 65536

struct args {
    struct journal_filter filter; /* but the two below */
    int64_t lines;
    bool follow;
};

/* Prints records one by one; each has memory of its own. */
struct printer {
    struct cli *cli;
    bool follow;
};

static int fail(struct cli *cli, const char *folder, int code, const struct why *why)
{
    if (*why->text)
        return cli_fail(cli, "%s", why->text);
    return cli_fail(cli, "can't read the journal '%s': %s", folder, error_text(code));
}

/* A raw line, on a terminal without what a terminal would obey (it stays the same JSON). */
static void print_raw(struct cli *cli, const struct journal_record *record)
{
    json_t *json = cli->term.terminal ? json_loadb(record->line, record->length, 0, NULL) : NULL;
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (text)
        buf_text(&cli->out, text);
    else
        buf_add(&cli->out, record->line, record->length);
    buf_char(&cli->out, '\n');
    free(text);
    json_decref(json);
}

static int print_record(void *context, const struct journal_record *record)
{
    struct printer *printer = context;
    struct cli line = *printer->cli;
    line.arena = (struct arena){ 0 };
    if (line.globals.format == FORMAT_JSON)
        print_raw(&line, record);
    else
        story_print(&line, record->line, record->length, record->wall_ms, clock_wall_ms());
    if (printer->follow || line.out.length > FLUSH_BYTES)
        cli_flush(&line);
    printer->cli->out = line.out;
    arena_close(&line.arena);
    return ferror(stdout) ? ERROR_STOPPED : 0;
}

static int print_journal(struct cli *cli, const struct args *args)
{
    struct places places;
    struct why why = { "" };
    if (places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    struct printer printer = { cli, args->follow };
    if (args->filter.until_ms && args->filter.until_ms < args->filter.since_ms)
        return cli_usage(cli, "--until lies before --since");
    struct journal_filter filter = args->filter;
    filter.last = (uint64_t)args->lines;
    filter.follow = args->follow;
    int code = journal_query(places.journal, &filter, print_record, &printer, &why);
    if (code < 0 && !ferror(stdout))
        return fail(cli, places.journal, code, &why);
    return EXIT_DONE;
}

static int run_print(struct cli *cli, const void *args)
{
    return print_journal(cli, args);
}

/* ---- tables --------------------------------------------------------------------------------------------------- */

static const struct option tail_options[] = { { 'n', "lines", "N", "How many records", .kind = OPTION_NUMBER,
                                                .target = offsetof(struct args, lines), .fallback = "20" },
                                              { 'f', "follow", NULL, "Go on with new records as they come",
                                                .kind = OPTION_FLAG, .target = offsetof(struct args, follow) },
                                              { 0 } };

static const struct option query_options[] = { FILTER_OPTIONS(struct args),
                                               { 'n', "lines", "N", "Only the last N of them", .kind = OPTION_NUMBER,
                                                 .target = offsetof(struct args, lines) },
                                               { 0 } };

static const char *const query_examples[] = { "belfry journal query --since 1h",
                                              "what happened in the last hour",
                                              "belfry journal query --service redis --type check.state -n 5",
                                              "the last five changes of redis",
                                              "belfry journal query -o json | jq .type",
                                              "raw records",
                                              NULL };

static const struct verb tail = { .name = "tail",
                                  .summary = "the newest records",
                                  .options = tail_options,
                                  .args_size = sizeof(struct args),
                                  .run = run_print };
static const struct verb query = { .name = "query",
                                   .summary = "records by time, type, subject or text",
                                   .examples = query_examples,
                                   .options = query_options,
                                   .args_size = sizeof(struct args),
                                   .run = run_print };
static int run_acknowledge(struct cli *cli, const void *args)
{
    (void)args;
    int status;
    json_t *answer = control_want(cli, json_pack("{ss ss}", "verb", "journal", "action", "acknowledge"),
                                  CONTROL_TIMEOUT_MS, &status);
    if (!answer)
        return status;
    long long count = (long long)control_integer(answer, "acknowledged");
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return EXIT_DONE;
    }
    json_decref(answer);
    buf_print(&cli->out, "%lld damaged %s acknowledged\n", count, count == 1 ? "place" : "places");
    return EXIT_DONE;
}

static const struct verb acknowledge = {
    .name = "acknowledge",
    .summary = "take what the journal has lost or repaired off the board",
    .description = "The damage stays in the journal, where verify goes on reporting it, and so does the record of it. "
                   "That it was seen is recorded too.",
    .run = run_acknowledge
};
static const struct verb *const verbs[] = {
    &tail,        &query, &verb_journal_verify, &verb_journal_seal, &verb_journal_head, &verb_journal_export,
    &acknowledge, NULL
};

const struct verb verb_journal = {
    .name = "journal",
    .summary = "what happened: newest records, search, verification",
    .description = "The journal is the append-only, hash-chained record of every change of state. With -o json the raw "
                   "lines are printed.",
    .verbs = verbs,
};
