/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry journal - reads the journal's files; no daemon is needed, and a running one is not disturbed.
 *
 * tail and query print one line a record:
 *
 *     2026-11-21 03:12:09  12 min  redis/server  OK -> CRITICAL soft 1/2  127.0.0.1:6379: connection refused
 *
 * as story.c tells it; with -o json the raw lines as they stand in the file, for jq. verify checks the whole chain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/places.h"
#include "core/cli/story.h"
#include "core/journal/journal.h"

#define FLUSH_BYTES 65536

struct args {
    int64_t lines, since_ms, until_ms;
    bool follow;
    const char *type, *subject, *text, *folder;
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
    if (args->until_ms && args->until_ms < args->since_ms)
        return cli_usage(cli, "--until lies before --since");
    struct journal_filter filter = { .since_ms = args->since_ms,
                                     .until_ms = args->until_ms,
                                     .type = args->type,
                                     .subject = args->subject,
                                     .text = args->text,
                                     .last = (uint64_t)args->lines,
                                     .follow = args->follow };
    int code = journal_query(places.journal, &filter, print_record, &printer, &why);
    if (code < 0 && !ferror(stdout))
        return fail(cli, places.journal, code, &why);
    return EXIT_DONE;
}

static int run_print(struct cli *cli, const void *args)
{
    return print_journal(cli, args);
}

/* ---- verify --------------------------------------------------------------------------------------------------- */

static uint32_t listed(const struct journal_report *report)
{
    uint32_t most = sizeof report->faults / sizeof *report->faults;
    return report->fault_count < most ? report->fault_count : most;
}

static json_t *pack_report(struct cli *cli, const char *folder, const struct journal_report *report)
{
    json_t *faults = json_array();
    for (uint32_t i = 0; i < listed(report); i++)
        json_array_append_new(faults,
                              json_pack("{ss sI ss ss}", "segment", cli_visible(cli, report->faults[i].segment), "line",
                                        (json_int_t)report->faults[i].line, "kind", report->faults[i].kind, "text",
                                        cli_visible(cli, report->faults[i].text)));
    return json_pack("{sb ss ss sI sI sI sI ss sb si so}", "ok", report->fault_count == 0, "folder", folder, "journal",
                     report->journal_id, "records", (json_int_t)report->records, "segments",
                     (json_int_t)report->segments, "first_seq", (json_int_t)report->first_seq, "last_seq",
                     (json_int_t)report->last_seq, "head", report->head_hash, "torn_tail", (int)report->torn_tail,
                     "fault_count", (int)report->fault_count, "faults", faults);
}

static void print_report(struct cli *cli, const char *folder, const struct journal_report *report)
{
    struct buf *out = &cli->out;
    buf_print(out, "%s: %llu records, numbers %llu to %llu, files %llu\n", folder, (unsigned long long)report->records,
              (unsigned long long)report->first_seq, (unsigned long long)report->last_seq,
              (unsigned long long)report->segments);
    if (report->records)
        buf_print(out, "journal %s, head %s\n", report->journal_id, report->head_hash);
    if (report->torn_tail)
        buf_text(out, "the last line is unfinished: normal after a crash, the daemon repairs it at its start\n");
    for (uint32_t i = 0; i < listed(report); i++)
        buf_print(out, "%s:%llu: %s: %s\n", cli_visible(cli, report->faults[i].segment),
                  (unsigned long long)report->faults[i].line, report->faults[i].kind,
                  cli_visible(cli, report->faults[i].text));
    if (report->fault_count > listed(report))
        buf_print(out, "and %u more\n", report->fault_count - listed(report));
    if (report->fault_count)
        buf_print(out, "DAMAGED: %u fault%s\n", report->fault_count, report->fault_count == 1 ? "" : "s");
    else
        buf_text(out, "good: every record is whole and chained to the one before it\n");
}

static int run_verify(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct places places = { 0 };
    struct why why = { "" };
    struct journal_report *report = arena_alloc(&cli->arena, sizeof *report);
    if (args->folder == NULL && places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    const char *folder = args->folder ? args->folder : places.journal;
    int code = journal_verify(folder, report, &why);
    if (code != 0)
        return fail(cli, folder, code, &why);
    if (report->segments == 0)
        return cli_fail(cli, "there is no journal in '%s'", folder);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, pack_report(cli, folder, report));
    else
        print_report(cli, folder, report);
    return report->fault_count ? EXIT_FAILED : EXIT_DONE;
}

/* ---- tables --------------------------------------------------------------------------------------------------- */

static const struct option tail_options[] = { { 'n', "lines", "N", "How many records", .kind = OPTION_NUMBER,
                                                .target = offsetof(struct args, lines), .fallback = "20" },
                                              { 'f', "follow", NULL, "Go on with new records as they come",
                                                .kind = OPTION_FLAG, .target = offsetof(struct args, follow) },
                                              { 0 } };

static const struct option query_options[] = {
    { 0, "since", "TIME", "From this time on: an age (1h) or a time ('2026-11-21 10:00')", .kind = OPTION_TIME,
      .target = offsetof(struct args, since_ms) },
    { 0, "until", "TIME", "Up to this time", .kind = OPTION_TIME, .target = offsetof(struct args, until_ms) },
    { 0, "type", "TYPE", "Of this type (check.state), or of a family (breaker.)", .kind = OPTION_TEXT,
      .target = offsetof(struct args, type) },
    { 0, "service", "SUBJECT", "Of this service, check (SERVICE/CHECK), breaker or plugin", .kind = OPTION_TEXT,
      .target = offsetof(struct args, subject), .words = WORDS_SUBJECT },
    { 0, "text", "TEXT", "With this text anywhere in the record", .kind = OPTION_TEXT,
      .target = offsetof(struct args, text) },
    { 'n', "lines", "N", "Only the last N of them", .kind = OPTION_NUMBER, .target = offsetof(struct args, lines) },
    { 0 }
};

static const struct argument verify_arguments[] = { { "DIR", "Folder of the journal (default: the daemon's)",
                                                      .target = offsetof(struct args, folder), .words = WORDS_FILE },
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
static const struct verb verify = { .name = "verify",
                                    .summary = "check every record and the chain of hashes",
                                    .description = "Exit status 1 when anything was changed, removed, inserted or "
                                                   "damaged; each fault is printed with file and line.",
                                    .arguments = verify_arguments,
                                    .args_size = sizeof(struct args),
                                    .run = run_verify };

static const struct verb *const verbs[] = { &tail, &query, &verify, NULL };

const struct verb verb_journal = {
    .name = "journal",
    .summary = "what happened: newest records, search, verification",
    .description = "The journal is the append-only, hash-chained record of every change of state. With -o json the raw "
                   "lines are printed.",
    .verbs = verbs,
};
