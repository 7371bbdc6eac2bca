/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry drill report - what drills have shown, as a document for an auditor: Markdown, or HTML that prints well. It is
 * made from the journal alone, and names the records that it stands on: `belfry journal verify` proves those. One walk
 * over the records writes both; `struct paper` knows the two syntaxes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/drill.h"
#include "core/cli/places.h"
#include "core/journal/journal.h"

struct args {
    const char *name;
    bool html;
    int64_t since_ms;
};

/* ---- paper ------------------------------------------------------------------------------------------------------- */

struct paper {
    struct cli *cli;
    struct buf *out;
    const json_t *by; /* who started a drill, by its id */
    bool html;
};

/* Text of a cell or paragraph, safe in either syntax. */
static void put(struct paper *p, const char *text)
{
    static const struct {
        char c;
        const char *html, *markdown;
    } special[] = { { '<', "&lt;", "&lt;" }, { '>', "&gt;", "&gt;" }, { '&', "&amp;", "&amp;" },
                    { '"', "&quot;", "\"" }, { '|', "|", "\\|" },     { '`', "`", "\\`" },
                    { '*', "*", "\\*" },     { '_', "_", "\\_" },     { '\n', "<br>", "<br>" } };
    for (; *text; text++) {
        size_t i = 0;
        while (i < sizeof special / sizeof special[0] && special[i].c != *text)
            i++;
        if (i < sizeof special / sizeof special[0])
            buf_text(p->out, p->html ? special[i].html : special[i].markdown);
        else
            buf_char(p->out, *text);
    }
}

static void heading(struct paper *p, int level, const char *text)
{
    if (p->html)
        buf_print(p->out, "<h%d>", level);
    else
        buf_print(p->out, "%s%.*s ", p->out->length ? "\n" : "", level, "####");
    put(p, text);
    if (p->html)
        buf_print(p->out, "</h%d>", level);
    buf_text(p->out, p->html ? "\n" : "\n\n");
}

static void paragraph(struct paper *p, const char *text)
{
    buf_text(p->out, p->html ? "<p>" : "");
    put(p, text);
    buf_text(p->out, p->html ? "</p>\n" : "\n\n");
}

static void row(struct paper *p, const char *const *cells, size_t count, const char *tag)
{
    buf_text(p->out, p->html ? "<tr>" : "|");
    for (size_t i = 0; i < count; i++) {
        if (p->html)
            buf_print(p->out, "<%s>", tag);
        else
            buf_char(p->out, ' ');
        put(p, cells[i]);
        if (p->html)
            buf_print(p->out, "</%s>", tag);
        else
            buf_text(p->out, " |");
    }
    buf_text(p->out, p->html ? "</tr>\n" : "\n");
}

static void table_head(struct paper *p, const char *const *titles, size_t count)
{
    buf_text(p->out, p->html ? "<table>\n" : "");
    row(p, titles, count, "th");
    for (size_t i = 0; i < count && !p->html; i++)
        buf_text(p->out, i ? " --- |" : "| --- |");
    buf_text(p->out, p->html ? "" : "\n");
}

static void table_foot(struct paper *p)
{
    buf_text(p->out, p->html ? "</table>\n" : "\n");
}

static void begin_paper(struct paper *p)
{
    if (p->html)
        buf_text(p->out,
                 "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Restore drills</title>"
                 "<style>body{font:11pt/1.4 sans-serif;max-width:52em;margin:2em auto;padding:0 1em}"
                 "table{border-collapse:collapse;width:100%;margin:1em 0}th,td{border:1px solid #888;"
                 "padding:.25em .5em;text-align:left;vertical-align:top;word-break:break-word}"
                 "th{background:#eee}h2{page-break-before:auto}table,tr{page-break-inside:avoid}"
                 "@page{margin:2cm}</style></head><body>\n");
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static const char *result_of(struct cli *cli, const json_t *record)
{
    const char *type = control_text(cli, record, "type");
    return strchr(type, '.') ? strchr(type, '.') + 1 : type;
}

/* The drill, or the runbook that was followed. */
static const char *name_of(struct cli *cli, const json_t *record)
{
    const char *runbook = control_text(cli, record, "runbook");
    return *runbook ? runbook : control_text(cli, record, "drill");
}

static bool has_passed(struct cli *cli, const json_t *record)
{
    return strcmp(result_of(cli, record), "passed") == 0;
}

/* Only what passed has met a target: a drill that fails after a second has recovered nothing in that second. */
static const char *against(struct cli *cli, const json_t *record, const char *key)
{
    const json_t *target = json_object_get(json_object_get(record, "figures"), key);
    if (!target)
        return "-";
    char most[TEXT_DURATION_SIZE];
    const char *is = drill_time(cli, control_integer(target, "ms"));
    text_format_age(most, control_integer(target, "target_ms"));
    if (!control_flag(target, "met"))
        return arena_print(&cli->arena, "%s of %s (missed)", is, most);
    if (has_passed(cli, record))
        return arena_print(&cli->arena, "%s of %s (met)", is, most);
    return strcmp(key, "rto") == 0 ? arena_print(&cli->arena, "none: it ended after %s", is) : is;
}

static void tell_all(struct paper *p, const json_t *records)
{
    static const char *const titles[] = { "When (UTC)",    "Drill or runbook", "Result",
                                          "Recovery time", "Age of the data",  "Record" };
    struct cli *cli = p->cli;
    size_t i;
    json_t *record;
    table_head(p, titles, 6);
    json_array_foreach(records, i, record)
    {
        const char *const cells[] = {
            control_text(cli, record, "at"), name_of(cli, record),
            result_of(cli, record),          against(cli, record, "rto"),
            against(cli, record, "rpo"),     arena_print(&cli->arena, "%lld", (long long)control_integer(record, "seq"))
        };
        row(p, cells, 6, "td");
    }
    table_foot(p);
}

static void tell_facts(struct paper *p, const json_t *record)
{
    static const char *const titles[] = { "What", "Value" };
    struct cli *cli = p->cli;
    const json_t *figures = json_object_get(record, "figures"), *backup = json_object_get(figures, "backup");
    const char *by = control_text(cli, figures, "by");
    const char *const facts[][2] = {
        { "Result", result_of(cli, record) },
        { *control_text(cli, record, "runbook") ? "Step" : "Phase", control_text(cli, record, "phase") },
        { "Reason", control_text(cli, record, "text") },
        { "Begun", control_text(cli, figures, "started") },
        { "By", *by ? by : control_text(cli, p->by, control_text(cli, record, "id")) },
        { "Tier", control_text(cli, figures, "tier") },
        { "Backup", control_text(cli, backup, "path") },
        { "Id of the snapshot or archive", control_text(cli, backup, "id") },
        { "Size in bytes",
          backup ? arena_print(&cli->arena, "%lld", (long long)control_integer(backup, "bytes")) : "" },
        { "Written", control_text(cli, backup, "written") },
        { "Format", control_text(cli, backup, "format") },
        { "SHA-256 of the backup", control_text(cli, backup, "sha256") },
        { "Not restored by this drill", control_text(cli, figures, "others") },
        { "Restored into", control_text(cli, figures, "server") },
        { "Isolation", control_text(cli, figures, "isolation") },
        { "Recovery time", against(cli, record, "rto") },
        { "Age of the data", against(cli, record, "rpo") },
        { "SHA-256 of the evidence", control_text(cli, figures, "evidence") },
        { "Record of the journal", arena_print(&cli->arena, "%lld", (long long)control_integer(record, "seq")) },
        { "Hash of the record", control_text(cli, record, "hash") },
    };
    table_head(p, titles, 2);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (facts[i][1][0])
            row(p, facts[i], 2, "td");
    table_foot(p);
}

static const char *utc(struct cli *cli, int64_t wall_ms)
{
    char text[TEXT_TIME_SIZE];
    return wall_ms > 0 ? arena_text(&cli->arena, text_format_utc(text, wall_ms)) : "-";
}

static void tell_steps(struct paper *p, const json_t *figures)
{
    static const char *const titles[] = { "Step", "What", "Result", "Begun (UTC)", "Ended (UTC)", "By", "Note" };
    struct cli *cli = p->cli;
    size_t i;
    json_t *step;
    table_head(p, titles, 7);
    json_array_foreach(control_list(figures, "steps"), i, step)
    {
        const char *note = control_text(cli, step, "note"),
                   *output = cli_visible_lines(cli, json_string_value(json_object_get(step, "output")));
        const char *const cells[] = { arena_print(&cli->arena, "%lld. %s", (long long)control_integer(step, "number"),
                                                  control_text(cli, step, "name")),
                                      arena_print(&cli->arena, "%s: %s", control_text(cli, step, "kind"),
                                                  control_text(cli, step, "what")),
                                      control_text(cli, step, "state"),
                                      utc(cli, control_integer(step, "began_ms")),
                                      utc(cli, control_integer(step, "ended_ms")),
                                      control_text(cli, step, "by"),
                                      arena_print(&cli->arena, "%s%s%s", note, *note && *output ? "; " : "", output) };
        row(p, cells, 7, "td");
    }
    table_foot(p);
}

static void tell_details(struct paper *p, const json_t *figures)
{
    static const char *const phase_titles[] = { "Phase", "Time" };
    static const char *const titles[] = { "Assertion", "Result", "What was found" };
    struct cli *cli = p->cli;
    size_t i;
    json_t *one;
    table_head(p, phase_titles, 2);
    json_array_foreach(control_list(figures, "phases"), i, one)
    {
        const char *const cells[] = { control_text(cli, one, "name"),
                                      arena_print(&cli->arena, "%.2f s", (double)control_integer(one, "ms") / 1000) };
        row(p, cells, 2, "td");
    }
    table_foot(p);
    if (json_array_size(control_list(figures, "assertions")) == 0) { /* it did not get so far */
        paragraph(p, "Nothing was asked.");
        return;
    }
    table_head(p, titles, 3);
    json_array_foreach(control_list(figures, "assertions"), i, one)
    {
        const char *const cells[] = { control_text(cli, one, "name"), control_flag(one, "good") ? "good" : "failed",
                                      control_text(cli, one, "text") };
        row(p, cells, 3, "td");
    }
    table_foot(p);
}

static void write_paper(struct paper *p, const json_t *records)
{
    char now[TEXT_TIME_SIZE];
    struct cli *cli = p->cli;
    size_t i;
    json_t *record;
    begin_paper(p);
    heading(p, 1, "Restore drills");
    paragraph(p, arena_print(&cli->arena,
                             "Made %s from the journal. Every line stands on a record of it; 'belfry journal "
                             "verify' proves that none was changed.",
                             text_format_utc(now, clock_wall_ms())));
    tell_all(p, records);
    json_array_foreach(records, i, record)
    {
        heading(p, 2, arena_print(&cli->arena, "%s, %s", name_of(cli, record), control_text(cli, record, "at")));
        tell_facts(p, record);
        const json_t *figures = json_object_get(record, "figures");
        if (figures)
            (json_object_get(figures, "steps") ? tell_steps : tell_details)(p, figures);
    }
    buf_text(p->out, p->html ? "</body></html>\n" : "");
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct reading {
    const char *name; /* NULL: all */
    json_t *records;
    json_t *by; /* who started it, by id: only the first record of a drill has it */
};

/* How a drill, or a rehearsal, ended. */
static int take(void *context, const struct journal_record *record)
{
    struct reading *reading = context;
    json_t *json = json_loadb(record->line, record->length, 0, NULL);
    static const char *const ends[] = { "passed", "failed", "cancelled", "abandoned" };
    const char *name =
        json_string_value(json_object_get(json, strncmp(record->type, "drill.", 6) == 0 ? "drill" : "runbook"));
    const char *id = json_string_value(json_object_get(json, "id"));
    bool end = false;
    if (id && strcmp(record->type, "drill.started") == 0)
        json_object_set(reading->by, id, json_object_get(json, "by"));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        end = end || strcmp(strchr(record->type, '.') + 1, ends[i]) == 0;
    if (end && name && (!reading->name || strcmp(name, reading->name) == 0))
        json_array_append(reading->records, json);
    json_decref(json);
    return 0;
}

static int compare(const void *a, const void *b)
{
    int64_t first = control_integer(*(const json_t *const *)a, "seq");
    int64_t second = control_integer(*(const json_t *const *)b, "seq");
    return (first > second) - (first < second);
}

/* As it came about: drills and rehearsals were read one after the other. */
static void sort(json_t *records)
{
    size_t count = json_array_size(records), i;
    json_t *record, **list = heap_array(count + 1, sizeof(*list));
    json_array_foreach(records, i, record) list[i] = json_incref(record);
    qsort(list, count, sizeof(*list), compare);
    json_array_clear(records);
    for (i = 0; i < count; i++)
        json_array_append_new(records, list[i]);
    free(list);
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct places places;
    struct why why = { "" };
    struct reading reading = { args->name, json_array(), json_object() };
    struct journal_filter filter = { .since_ms = args->since_ms, .type = "drill." };
    struct paper paper = { cli, &cli->out, reading.by, args->html };
    int code = places_find(cli, &places, &why);
    if (code == 0)
        code = journal_query(places.journal, &filter, take, &reading, &why);
    filter.type = "recovery.";
    if (code >= 0)
        code = journal_query(places.journal, &filter, take, &reading, &why);
    sort(reading.records);
    if (code >= 0 && cli->globals.format == FORMAT_JSON) {
        control_print(cli, reading.records);
        json_decref(reading.by);
        return EXIT_DONE;
    }
    if (code >= 0 && json_array_size(reading.records) == 0)
        code = why_say(&why, ERROR_UNKNOWN_NAME, "the journal knows of no drill%s%s%s that came to an end",
                       args->name ? " '" : "", args->name ? args->name : "", args->name ? "'" : "");
    if (code >= 0)
        write_paper(&paper, reading.records);
    json_decref(reading.records);
    json_decref(reading.by);
    return code >= 0 ? EXIT_DONE : cli_fail(cli, "%s", why.text[0] ? why.text : error_text(code));
}

static const struct argument arguments[] = {
    { "NAME", "Only this drill or runbook", .target = offsetof(struct args, name), .words = WORDS_DRILL }, { 0 }
};

static const struct option options[] = { { 0, "html", NULL, "HTML that prints well, and not Markdown",
                                           .kind = OPTION_FLAG, .target = offsetof(struct args, html) },
                                         { 0, "since", "TIME",
                                           "From this time on: an age (90d) or a time ('2026-11-21 10:00')",
                                           .kind = OPTION_TIME, .target = offsetof(struct args, since_ms) },
                                         { 0 } };

static const char *const examples[] = { "belfry drill report shop --since 90d > drills.md", "a quarter, as Markdown",
                                        "belfry drill report --html > drills.html", "everything, to be printed", NULL };

const struct verb verb_drill_report = {
    .name = "report",
    .summary = "what drills and rehearsals have shown, for an auditor",
    .description = "Made from the journal; needs no daemon. With -o json the records themselves.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
