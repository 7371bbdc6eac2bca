/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry journal export - records for somebody else: an auditor, a spreadsheet, a reader.
 *
 * Raw, the lines are what stands in the journal, byte for byte, behind one line that says what they are
 * (doc/journal-format.md, "An export"): who has it can check each record by its hash, and, when nothing was left out,
 * the chain and the seals, without this machine. --pretty is what query prints; --csv has the columns below. All need
 * two readings: what the first line says is only known behind the last record.
 *
 * A cell of a CSV file that begins like a formula gets an apostrophe in front, since spreadsheets would run what a
 * watched host has sent. */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/filter.h"
#include "core/cli/places.h"
#include "core/cli/proof.h"
#include "core/cli/story.h"

#define EXPORT_VERSION 1
#define FLUSH_BYTES 65536
#define ENOUGH 1 /* of visit: what is behind was recorded after the first reading */

struct args {
    struct journal_filter filter;
    const char *folder, *file;
    bool pretty, csv;
};

/* What a reading found. */
struct extent {
    uint64_t first, last, records;
    char before[DIGEST_HEX_SIZE], end[DIGEST_HEX_SIZE]; /* the hash before the first record, and of the last */
    bool whole;                                         /* no record between them is missing */
    struct digest *digest;                              /* of all lines */
    char sha256[DIGEST_HEX_SIZE];
};

struct export
{
    struct cli *cli;
    const struct args *args;
    const char *folder;
    struct journal_anchor head; /* of the journal, when it was begun */
    struct extent wanted, done; /* first and second reading */
    FILE *out;
};

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* The member of a line as it stands there: no string can hold these bytes, a quote in it has a backslash. */
static void take_prev(const struct journal_record *record, char out[DIGEST_HEX_SIZE])
{
    const char *at = strstr(record->line, ",\"prev\":\"");
    text_copy(out, DIGEST_HEX_SIZE, at ? at + strlen(",\"prev\":\"") : "");
}

static void note(struct extent *extent, const struct journal_record *record)
{
    char prev[DIGEST_HEX_SIZE];
    take_prev(record, prev);
    if (extent->records++ == 0) {
        extent->first = record->seq;
        memcpy(extent->before, prev, sizeof prev);
        extent->whole = true;
    } else if (record->seq != extent->last + 1 || strcmp(prev, extent->end) != 0) {
        extent->whole = false;
    }
    extent->last = record->seq;
    text_copy(extent->end, sizeof extent->end, record->line + record->length - 66);
    digest_more(extent->digest, record->line, record->length);
    digest_more(extent->digest, "\n", 1);
}

static int note_record(void *context, const struct journal_record *record)
{
    struct export *export = context;
    if (record->seq > export->head.seq)
        return ENOUGH;
    note(&export->wanted, record);
    return 0;
}

static int read_journal(struct export *export, struct extent *extent, journal_visit visit, struct why *why)
{
    unsigned char digest[DIGEST_SIZE];
    *extent = (struct extent){ .digest = digest_begin() };
    int code = journal_query(export->folder, &export->args->filter, visit, export, why);
    digest_end(&extent->digest, digest);
    digest_hex(digest, extent->sha256);
    return code == ENOUGH ? 0 : code;
}

/* ---- the first line --------------------------------------------------------------------------------------------- */

static json_t *time_or_null(int64_t ms)
{
    char at[TEXT_TIME_SIZE];
    return ms ? json_string(text_format_utc(at, ms)) : json_null();
}

static json_t *pack_filter(const struct journal_filter *filter)
{
    return json_pack("{so so ss? ss? ss?}", "since", time_or_null(filter->since_ms), "until",
                     time_or_null(filter->until_ms), "type", filter->type, "service", filter->subject, "text",
                     filter->text);
}

static json_t *pack_extent(const struct export *export)
{
    const struct extent *extent = &export->wanted;
    return json_pack("{si ss so ss sI sI sI sb ss ss ss s{sI ss} so}", "export", EXPORT_VERSION, "belfry",
                     PACKAGE_VERSION, "made", time_or_null(clock_wall_ms()), "journal", export->head.journal, "first",
                     (json_int_t)extent->first, "last", (json_int_t)extent->last, "records",
                     (json_int_t)extent->records, "whole", (int)extent->whole, "prev", extent->before, "hash",
                     extent->end, "sha256", extent->sha256, "head", "seq", (json_int_t) export->head.seq, "hash",
                     export->head.hash, "filter", pack_filter(&export->args->filter));
}

static void write_raw_title(struct export *export, struct buf *out)
{
    json_t *title = pack_extent(export);
    char *text = json_dumps(title, JSON_COMPACT | JSON_ENSURE_ASCII);
    buf_print(out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(title);
}

static void write_csv_title(struct export *export, struct buf *out)
{
    (void)export;
    buf_text(out, "seq,at,type,who,subject,what,hash\n");
}

static void write_no_title(struct export *export, struct buf *out)
{
    (void)export;
    (void)out;
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static void write_raw(struct cli *cli, const struct journal_record *record)
{
    buf_add(&cli->out, record->line, record->length);
    buf_char(&cli->out, '\n');
}

static void write_pretty(struct cli *cli, const struct journal_record *record)
{
    story_print(cli, record->line, record->length, record->wall_ms, clock_wall_ms());
}

static void add_cell(struct cli *cli, const char *text)
{
    buf_char(&cli->out, '"');
    if (*text && strchr("=+-@", *text))
        buf_char(&cli->out, '\'');
    for (; *text; text++) {
        if (*text == '"')
            buf_char(&cli->out, '"');
        buf_char(&cli->out, *text);
    }
    buf_char(&cli->out, '"');
}

static void write_csv(struct cli *cli, const struct journal_record *record)
{
    char at[TEXT_TIME_SIZE];
    json_t *json = json_loadb(record->line, record->length, 0, NULL);
    const char *cells[4] = { record->type, control_text(cli, json, "who") };
    story_tell(cli, json, &cells[2], &cells[3]);
    buf_print(&cli->out, "%llu,%s", (unsigned long long)record->seq, text_format_utc(at, record->wall_ms));
    for (size_t i = 0; i < 4; i++) {
        buf_char(&cli->out, ',');
        add_cell(cli, cells[i]);
    }
    buf_print(&cli->out, ",%.64s\n", record->line + record->length - 66);
    json_decref(json);
}

static const struct form {
    void (*title)(struct export *export, struct buf *out);
    void (*record)(struct cli *cli, const struct journal_record *record);
} forms[] = { { write_raw_title, write_raw }, { write_no_title, write_pretty }, { write_csv_title, write_csv } };

static const struct form *form_of(const struct args *args)
{
    return &forms[args->pretty ? 1 : args->csv ? 2 : 0];
}

static int flush(struct export *export, struct buf *out)
{
    if (out->length > 0)
        fwrite(out->data, 1, out->length, export->out);
    buf_reset(out);
    return ferror(export->out) ? ERROR_STOPPED : 0;
}

static int write_record(void *context, const struct journal_record *record)
{
    struct export *export = context;
    struct cli line = *export->cli;
    line.arena = (struct arena){ 0 };
    if (record->seq > export->head.seq)
        return ENOUGH;
    note(&export->done, record);
    form_of(export->args)->record(&line, record);
    int code = line.out.length > FLUSH_BYTES ? flush(export, &line.out) : 0;
    export->cli->out = line.out;
    arena_close(&line.arena);
    return code;
}

/* ---- where to --------------------------------------------------------------------------------------------------- */

/* A file that is there stays as it is. */
static int open_out(struct export *export)
{
    const char *path = export->args->file;
    export->out = stdout;
    if (path == NULL)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    export->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    return export->out ? 0 : -errno;
}

/* On disk, or not there. */
static int close_out(struct export *export, int code)
{
    if (export->out == stdout)
        return code;
    if (code == 0 && (fflush(export->out) != 0 || fsync(fileno(export->out)) != 0))
        code = -errno;
    if (fclose(export->out) != 0 && code == 0)
        code = -errno;
    if (code != 0)
        unlink(export->args->file);
    return code;
}

static int write_all(struct export *export, struct why *why)
{
    struct buf *out = &export->cli->out;
    form_of(export->args)->title(export, out);
    int code = read_journal(export, &export->done, write_record, why);
    if (code == 0)
        code = flush(export, out);
    buf_reset(out);
    if (code == ERROR_STOPPED)
        code = why_say(why, -EIO, "the records can't be written to '%s'",
                       export->args->file ? export->args->file : "the standard output");
    else if (code == 0 && strcmp(export->done.sha256, export->wanted.sha256) != 0)
        code = why_say(why, ERROR_REFUSED, "the journal was changed meanwhile (old records were dropped?): try again");
    return code;
}

static void print_summary(struct export *export)
{
    struct cli *cli = export->cli;
    const struct extent *extent = &export->wanted;
    char count[TEXT_COUNT_SIZE];
    if (export->args->file == NULL)
        return;
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, pack_extent(export));
        return;
    }
    buf_print(&cli->out, "%s, ", text_count(count, extent->records, "record"));
    if (extent->records > 0)
        buf_print(&cli->out, "numbers %llu to %llu, ", (unsigned long long)extent->first,
                  (unsigned long long)extent->last);
    buf_print(&cli->out, "in '%s'; of journal %s%s\n", cli_visible(cli, export->args->file), export->head.journal,
              extent->whole ? ", with none left out" : "");
}

/* ---- the verb --------------------------------------------------------------------------------------------------- */

static int run_export(struct export *export)
{
    struct cli *cli = export->cli;
    struct why why = { "" };
    int64_t wall_ms;
    int code = proof_head(export->folder, &export->head, &wall_ms, &why);
    if (code == 0 && export->head.seq == 0)
        return cli_fail(cli, "there is no journal in '%s'", export->folder);
    if (code == 0)
        code = read_journal(export, &export->wanted, note_record, &why);
    if (code == 0) {
        code = open_out(export);
        if (code != 0)
            return cli_fail(cli, "'%s' can't be made: %s", export->args->file, error_text(code));
        code = close_out(export, write_all(export, &why));
    }
    if (code != 0)
        return cli_fail(cli, "%s", *why.text ? why.text : error_text(code));
    print_summary(export);
    return EXIT_DONE;
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct places places = { 0 };
    struct why why = { "" };
    if (args->pretty && args->csv)
        return cli_usage(cli, "--pretty and --csv are two forms: choose one");
    if (args->filter.until_ms && args->filter.until_ms < args->filter.since_ms)
        return cli_usage(cli, "--until lies before --since");
    if (cli->term.terminal && !args->pretty && !args->file)
        return cli_usage(cli, "this is not for a terminal: give --file, a pipe, or --pretty");
    if (args->folder == NULL && places_find(cli, &places, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    struct export export = { .cli = cli, .args = args, .folder = args->folder ? args->folder : places.journal };
    return run_export(&export);
}

static const struct argument arguments[] = { { "DIR", "Folder of the journal (default: the daemon's)",
                                               .target = offsetof(struct args, folder), .words = WORDS_FILE },
                                             { 0 } };

static const struct option options[] = {
    FILTER_OPTIONS(struct args),
    { 'f', "file", "FILE", "Write into this new file (default: to the standard output)", .kind = OPTION_TEXT,
      .target = offsetof(struct args, file), .words = WORDS_FILE },
    { 0, "pretty", NULL, "For people, as query prints them", .kind = OPTION_FLAG,
      .target = offsetof(struct args, pretty) },
    { 0, "csv", NULL, "For a spreadsheet: number, time, type, who, subject, what, hash", .kind = OPTION_FLAG,
      .target = offsetof(struct args, csv) },
    { 0 }
};

static const char *const examples[] = { "belfry journal export --since 2026-10-01 --until 2026-11-01 -f october.jsonl",
                                        "a month for the auditor: raw, chain and seals can be checked",
                                        "belfry journal export --type check.state --since 7d --csv --file week.csv",
                                        "a week's changes of state for a spreadsheet", NULL };

const struct verb verb_journal_export = {
    .name = "export",
    .summary = "records of a time, as they are stored or for a spreadsheet",
    .description =
        "Raw records stand behind one line that names the journal, the first and the last record, their "
        "hashes and that of all lines: each record can be checked by itself, and the chain and the seals when "
        "only --since and --until were given. The form is told in journal-format.md. A file that is there "
        "already is never overwritten; a new one can be read by its owner alone.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
