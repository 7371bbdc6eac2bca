/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry series - what was recorded of a check, as numbers: a row for each step, a column for each metric (and part,
 * when only parts have the metric). belfry-graph reads the files (graph_run.c). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/sheet.h"

#define COLUMNS_MAX 64
#define MINUTE_COLUMNS 16 /* "2026-11-21 10:31", and with seconds: */
#define SECOND_COLUMNS 19
#define ISO_SIZE 40

struct args {
    const char *check, *part, *function, *output;
    struct words metrics;
    int64_t since_ms, until_ms, step_ms;
};

static const struct argument arguments[] = {
    { "SERVICE/CHECK", "The check", .required = true, .target = offsetof(struct args, check), .words = WORDS_CHECK },
    { "METRIC", "Metrics, a column each; none: say which there are", .many = true,
      .target = offsetof(struct args, metrics), .words = WORDS_METRIC },
    { 0 }
};

static const struct option options[] = {
    { 'o', "output", "FORMAT", "How to print: table, json or csv (default: table; text is the same)",
      .kind = OPTION_TEXT, .target = offsetof(struct args, output), .words = WORDS_SERIES },
    { 0, "since", "TIME", "From when: an age (7d) or a time ('2026-11-21 10:00')", .kind = OPTION_TIME,
      .target = offsetof(struct args, since_ms), .fallback = "1d" },
    { 0, "until", "TIME", "Until when (default: now)", .kind = OPTION_TIME, .target = offsetof(struct args, until_ms) },
    { 0, "step", "DURATION", "A row for each 5m, 1h, 1d, counted in UTC (default: as fine as was kept for that time)",
      .kind = OPTION_SECONDS, .target = offsetof(struct args, step_ms) },
    { 0, "function", "NAME", "What stands for a step: its average, min or max", .kind = OPTION_TEXT,
      .target = offsetof(struct args, function), .fallback = "average", .words = WORDS_FUNCTION },
    { 0, "part", "NAME", "Of this part of the target", .kind = OPTION_TEXT, .target = offsetof(struct args, part),
      .words = WORDS_PART },
    { 0 }
};

/* What is printed. */
struct series {
    struct cli *cli;
    const struct args *args;
    struct sheet sheet;
    size_t time_columns; /* as a table shows the time */
};

/* 2026-11-21T10:31:00+01:00 */
static const char *format_iso(char out[ISO_SIZE], int64_t at_s)
{
    struct tm parts = { 0 };
    time_t at = (time_t)at_s;
    localtime_r(&at, &parts);
    long minutes = parts.tm_gmtoff / 60, absolute = minutes < 0 ? -minutes : minutes;
    size_t n = strftime(out, ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + n, ISO_SIZE - n, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', absolute / 60, absolute % 60);
    return out;
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

static json_t *pack_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *pack_columns(const struct series *series)
{
    json_t *list = json_array();
    for (size_t i = 0; i < series->sheet.count; i++) {
        const struct column *column = &series->sheet.columns[i];
        json_array_append_new(list, json_pack("{ss ss? ss sI sI}", "metric", column->metric, "part", column->part,
                                              "unit", column->unit, "step", (json_int_t)column->step_s, "archive",
                                              (json_int_t)column->archive_s));
    }
    return list;
}

static json_t *pack_rows(struct series *series, double *values)
{
    json_t *list = json_array();
    char iso[ISO_SIZE];
    for (int64_t at_s; (at_s = sheet_next(&series->sheet)) != 0;) {
        json_t *row = json_array();
        sheet_take(&series->sheet, at_s, values);
        for (size_t i = 0; i < series->sheet.count; i++)
            json_array_append_new(row, pack_number(values[i]));
        json_array_append_new(
            list, json_pack("{ss sI so}", "time", format_iso(iso, at_s), "epoch", (json_int_t)at_s, "values", row));
    }
    return list;
}

static void print_json(struct series *series, double *values)
{
    json_t *json = json_pack("{ss ss so so}", "check", series->args->check, "function", series->args->function, "step",
                             series->sheet.step_s ? json_integer(series->sheet.step_s) : json_null(), "columns",
                             pack_columns(series));
    json_object_set_new(json, "rows", pack_rows(series, values));
    control_print(series->cli, json);
}

/* ---- CSV ------------------------------------------------------------------------------------------------------ */

/* "latency", "/var used" */
static const char *column_name(const struct series *series, const struct column *column)
{
    if (column->part == NULL)
        return column->metric;
    return arena_print(&series->cli->arena, "%s %s", column->part, column->metric);
}

/* As RFC 4180 quotes. */
static void print_quoted(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_char(out, '"');
        buf_char(out, *text);
    }
    buf_char(out, '"');
}

/* A name begins with the function's: no spreadsheet takes it for a formula. */
static void print_csv_head(struct series *series)
{
    struct buf *out = &series->cli->out;
    buf_text(out, "time,step");
    for (size_t i = 0; i < series->sheet.count; i++) {
        const struct column *column = &series->sheet.columns[i];
        const char *unit = *column->unit ? arena_print(&series->cli->arena, " (%s)", column->unit) : "";
        buf_char(out, ',');
        print_quoted(out, arena_print(&series->cli->arena, "%s %s%s", series->args->function,
                                      column_name(series, column), unit));
    }
    buf_char(out, '\n');
}

static void print_csv(struct series *series, double *values)
{
    struct buf *out = &series->cli->out;
    char iso[ISO_SIZE], number[TEXT_NUMBER_SIZE];
    print_csv_head(series);
    for (int64_t at_s; (at_s = sheet_next(&series->sheet)) != 0;) {
        buf_print(out, "%s,%lld", format_iso(iso, at_s), (long long)sheet_step(&series->sheet, at_s));
        sheet_take(&series->sheet, at_s, values);
        for (size_t i = 0; i < series->sheet.count; i++)
            buf_print(out, ",%s", isfinite(values[i]) ? text_format_number(number, values[i]) : "");
        buf_char(out, '\n');
    }
}

/* ---- table ---------------------------------------------------------------------------------------------------- */

static const char *local_time(const struct series *series, int64_t at_s)
{
    char text[TEXT_TIME_SIZE];
    text_format_local(text, at_s * 1000);
    text[series->time_columns] = '\0';
    return arena_text(&series->cli->arena, text);
}

static size_t column_width(const struct series *series, const struct column *column)
{
    const size_t least = 10;
    size_t width = term_columns(column_name(series, column));
    return width > least ? width : least;
}

static void print_table_head(const struct series *series)
{
    struct cli *cli = series->cli;
    term_left(&cli->term, &cli->out, STYLE_FAINT, "time", series->time_columns);
    for (size_t i = 0; i < series->sheet.count; i++) {
        buf_text(&cli->out, "  ");
        term_right(&cli->term, &cli->out, STYLE_FAINT, column_name(series, &series->sheet.columns[i]),
                   column_width(series, &series->sheet.columns[i]));
    }
    buf_char(&cli->out, '\n');
}

static void print_table_row(const struct series *series, int64_t at_s, const double *values)
{
    struct cli *cli = series->cli;
    char text[TEXT_VALUE_SIZE];
    term_left(&cli->term, &cli->out, STYLE_PLAIN, local_time(series, at_s), series->time_columns);
    for (size_t i = 0; i < series->sheet.count; i++) {
        const struct column *column = &series->sheet.columns[i];
        bool known = isfinite(values[i]);
        buf_text(&cli->out, "  ");
        term_right(&cli->term, &cli->out, known ? STYLE_PLAIN : STYLE_FAINT,
                   known ? text_format_value(text, values[i], column->unit) : "-", column_width(series, column));
    }
    buf_char(&cli->out, '\n');
}

/* "average of each 15 min, from 5 min" */
static void print_table_foot(const struct series *series)
{
    char step[TEXT_DURATION_SIZE], archive[TEXT_DURATION_SIZE];
    struct cli *cli = series->cli;
    const struct column *column = &series->sheet.columns[0];
    const char *text = arena_print(&cli->arena, "%s of different steps", series->args->function);
    if (series->sheet.step_s)
        text = arena_print(&cli->arena, "%s of each %s", series->args->function,
                           text_format_age(step, series->sheet.step_s * 1000));
    if (series->sheet.step_s && column->archive_s != column->step_s)
        text =
            arena_print(&cli->arena, "%s, kept for each %s", text, text_format_age(archive, column->archive_s * 1000));
    term_text(&cli->term, &cli->out, STYLE_FAINT, text);
    buf_char(&cli->out, '\n');
}

/* Rows without a value, count of them, that end here. */
static void print_unknown(const struct series *series, int64_t first_s, int64_t last_s, size_t count)
{
    struct cli *cli = series->cli;
    if (count == 0)
        return;
    const char *until = count > 1 ? arena_print(&cli->arena, " to %s", local_time(series, last_s)) : "";
    term_text(&cli->term, &cli->out, STYLE_FAINT,
              arena_print(&cli->arena, "%s%s  unknown", local_time(series, first_s), until));
    buf_char(&cli->out, '\n');
}

static void print_table(struct series *series, double *values)
{
    int64_t first_s = 0, last_s = 0;
    size_t unknown = 0;
    print_table_head(series);
    for (int64_t at_s; (at_s = sheet_next(&series->sheet)) != 0; last_s = at_s) {
        if (!sheet_take(&series->sheet, at_s, values)) {
            first_s = unknown++ ? first_s : at_s;
            continue;
        }
        print_unknown(series, first_s, last_s, unknown);
        unknown = 0;
        print_table_row(series, at_s, values);
    }
    print_unknown(series, first_s, last_s, unknown);
    print_table_foot(series);
}

/* ---- the verb ------------------------------------------------------------------------------------------------- */

static const struct format_row {
    const char *name;
    void (*print)(struct series *series, double *values);
} formats[] = { { "table", print_table }, { "json", print_json }, { "csv", print_csv }, { "text", print_table } };

static const struct format_row *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static bool is_function(const char *name)
{
    return strcmp(name, "average") == 0 || strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
}

static int print(struct cli *cli, const struct args *args, const struct format_row *format)
{
    const struct graph_request request = { .check = args->check,
                                           .part = args->part,
                                           .metrics = args->metrics.items,
                                           .metric_count = args->metrics.count,
                                           .since_ms = args->since_ms,
                                           .until_ms = args->until_ms ? args->until_ms : clock_wall_ms(),
                                           .step_ms = args->step_ms,
                                           .function = args->function };
    struct series series = { .cli = cli, .args = args, .time_columns = MINUTE_COLUMNS };
    struct why why = { "" };
    json_t *answer;
    if (request.until_ms / 1000 <= request.since_ms / 1000)
        return cli_usage(cli, "--until lies before --since");
    if (graph_ask(cli, &request, &answer, &why) != 0)
        return cli_fail(cli, "%s", why.text);
    if (sheet_open(cli, answer, &series.sheet) != 0)
        return cli_fail(cli, "belfry-graph's answer makes no sense");
    if (sheet_next(&series.sheet) == 0)
        return cli_fail(cli, "no step of %lld s ends in that time", (long long)series.sheet.columns[0].step_s);
    for (size_t i = 0; i < series.sheet.count; i++)
        if (series.sheet.columns[i].step_s % 60 != 0)
            series.time_columns = SECOND_COLUMNS;
    format->print(&series, arena_array(&cli->arena, series.sheet.count + 1, sizeof(double)));
    json_decref(answer);
    return EXIT_DONE;
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    const char *output = args->output ? args->output : cli->globals.format == FORMAT_JSON ? "json" : "table";
    const struct format_row *format = find_format(output);
    if (format == NULL)
        return cli_usage(cli, "'-o %s' is not table, json or csv", output);
    cli->globals.format = format->print == print_json ? FORMAT_JSON : FORMAT_TEXT;
    if (!text_is_check_id(args->check))
        return cli_usage(cli, "'%s' is not SERVICE/CHECK", args->check);
    if (!is_function(args->function))
        return cli_usage(cli, "'--function' wants average, min or max, not '%s'", args->function);
    if (args->metrics.count > COLUMNS_MAX)
        return cli_usage(cli, "at most %d metrics at a time", COLUMNS_MAX);
    if (args->metrics.count > 0)
        return print(cli, args, format);
    if (format->print == print_csv)
        return cli_usage(cli, "'-o csv' wants a METRIC; 'belfry series %s' says which there are", args->check);
    return graph_list_print(cli, args->check, args->part, false);
}

static const char *const examples[] = {
    "belfry series redis/server",
    "which metrics are recorded",
    "belfry series redis/server latency clients --since 2h",
    "two of them, as a table",
    "belfry series host/system cpu_used --since 30d --step 1d --function max -o csv",
    "the greatest value of each day",
    "belfry series host/system disk_used --part /var --since 7d -o json",
    "of one part, with resolution and unit",
    NULL
};

const struct verb verb_series = {
    .name = "series",
    .summary = "what a check measured, as numbers",
    .description =
        "What a graph shows, as a table, CSV or JSON. Each row is the average (or least, or greatest) value of the "
        "step that ends at its time; unknown values are '-', empty or null. Values are in the metric's base unit, "
        "counters per second; a table scales them. A metric that only parts have makes a column for each part.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
