/* SPDX-License-Identifier: GPL-3.0-or-later */
/* detail - everything there is to say of a service or a check: `belfry status SERVICE` and `belfry run`. */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/cli/board.h"
#include "core/cli/control.h"
#include "core/model/state.h"

#define INDENT 4
#define TEXT_LINES 12
#define DETAIL_LINES 40

static void print_line(struct cli *cli, const char *text, size_t max_lines)
{
    if (*text == '\0')
        return;
    term_spaces(&cli->out, INDENT);
    term_fold(&cli->term, &cli->out, text, INDENT, max_lines);
}

/* "last run 12 s ago, next in 48 s, every 1 min; took 1.5 ms; breaker closed" */
static void print_schedule(struct cli *cli, const json_t *check, int64_t now_ms)
{
    char every[TEXT_DURATION_SIZE], took[TEXT_VALUE_SIZE];
    const char *age = condition_age(cli, control_integer(check, "last_run"), now_ms);
    double seconds = json_number_value(json_object_get(check, "duration_ms")) / 1000;
    struct buf line = { 0 };
    if (*age)
        buf_print(&line, "last run %s ago, took %s, ", age, text_format_value(took, seconds, "s"));
    if (condition_disabled(check))
        buf_text(&line, control_flag(check, "running") ? "running for the last time" : "no next run");
    else
        buf_print(&line, "%s %s, every %s", control_flag(check, "running") ? "running now, then" : "next run",
                  condition_until(cli, control_integer(check, "next_run"), now_ms),
                  text_format_age(every, control_integer(check, "every_ms")));
    if (control_integer(check, "missed"))
        buf_print(&line, ", %lld missed", (long long)control_integer(check, "missed"));
    if (control_integer(check, "skipped"))
        buf_print(&line, ", %lld skipped while the circuit was open", (long long)control_integer(check, "skipped"));
    print_line(cli, line.data, TEXT_LINES);
    buf_close(&line);
}

static void print_parts(struct cli *cli, const json_t *check, int64_t now_ms)
{
    static const char *const titles[] = { "part", "state", "since", "" };
    struct table table = { .columns = 4, .indent = INDENT, .titles = titles };
    size_t i;
    json_t *part;
    json_array_foreach(control_list(check, "parts"), i, part)
    {
        enum belfry_state state = control_state(part, "state");
        table_add(&table, STYLE_PLAIN, control_text(cli, part, "name"));
        table_add(&table, term_state_style(state), state_name(state));
        table_add(&table, STYLE_FAINT, condition_age(cli, control_integer(part, "since"), now_ms));
        table_add(&table, STYLE_PLAIN, control_text(cli, part, "text"));
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

static const char *format_value(struct cli *cli, const json_t *metric)
{
    const json_t *value = json_object_get(metric, "value");
    if (!json_is_number(value))
        return "not measured";
    return text_format_value(arena_alloc(&cli->arena, TEXT_VALUE_SIZE), json_number_value(value),
                             control_text(cli, metric, "unit"));
}

static const char *metric_label(struct cli *cli, const json_t *metric)
{
    const char *part = control_text(cli, metric, "part"), *name = control_text(cli, metric, "name");
    return *part ? arena_print(&cli->arena, "%s %s", part, name) : name;
}

/* "> 2 x median 7d", or the range. */
static const char *limit_text(struct cli *cli, const json_t *metric, const char *range, const char *comparison)
{
    const char *text = control_text(cli, metric, comparison);
    return *text ? text : control_text(cli, metric, range);
}

static void print_metrics(struct cli *cli, const json_t *check)
{
    static const char *const titles[] = { "metric", "value", "state", "warning", "critical" };
    struct table table = { .columns = 5, .indent = INDENT, .titles = titles };
    size_t i;
    json_t *metric;
    json_array_foreach(control_list(check, "metrics"), i, metric)
    {
        const char *warn = limit_text(cli, metric, "warn", "warn_by"),
                   *crit = limit_text(cli, metric, "crit", "crit_by");
        bool judged = *control_text(cli, metric, "warn") || *control_text(cli, metric, "crit");
        enum belfry_state state = control_state(metric, "state");
        table_add(&table, STYLE_PLAIN, metric_label(cli, metric));
        table_add(&table, STYLE_PLAIN, format_value(cli, metric));
        table_add(&table, judged ? term_state_style(state) : STYLE_FAINT, judged ? state_name(state) : "-");
        table_add(&table, STYLE_PLAIN, *warn || *crit == '\0' ? warn : "-");
        table_add(&table, STYLE_PLAIN, crit);
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

/* "took: 7-day median 1.9 s, ...", or what is missing for a baseline. */
static void print_baselines(struct cli *cli, const json_t *check)
{
    size_t i;
    json_t *metric;
    json_array_foreach(control_list(check, "metrics"), i, metric)
    {
        const char *words = control_text(cli, json_object_get(metric, "baseline"), "text");
        if (*words)
            print_line(cli, arena_print(&cli->arena, "%s: %s", metric_label(cli, metric), words), TEXT_LINES);
    }
}

void detail_check(struct cli *cli, const json_t *check, int64_t now_ms)
{
    struct notes notes;
    enum belfry_state state = control_state(check, "state");
    bool known = control_flag(check, "known");
    term_text(&cli->term, &cli->out, STYLE_STRONG, control_text(cli, check, "id"));
    buf_text(&cli->out, "  ");
    term_text(&cli->term, &cli->out, known ? term_state_style(state) : STYLE_FAINT, condition_state(cli, check));
    if (known)
        buf_print(&cli->out, " for %s", condition_age(cli, control_integer(check, "since"), now_ms));
    term_text(&cli->term, &cli->out, STYLE_FAINT,
              arena_print(&cli->arena, "  plugin %s\n", control_text(cli, check, "plugin")));
    print_line(cli, control_text(cli, check, "text"), TEXT_LINES);
    condition_notes(cli, check, now_ms, &notes);
    for (size_t i = 0; i < notes.count; i++)
        print_line(cli, notes.items[i], TEXT_LINES);
    print_schedule(cli, check, now_ms);
    print_parts(cli, check, now_ms);
    print_metrics(cli, check);
    print_baselines(cli, check);
    print_line(cli, cli_visible_lines(cli, json_string_value(json_object_get(check, "detail"))), DETAIL_LINES);
}

static void print_service(struct cli *cli, const json_t *service, int64_t now_ms)
{
    enum belfry_state state = control_state(service, "state");
    size_t i;
    json_t *check, *name;
    term_text(&cli->term, &cli->out, STYLE_STRONG, control_text(cli, service, "title"));
    buf_print(&cli->out, " (%s)  ", control_text(cli, service, "name"));
    term_text(&cli->term, &cli->out, term_state_style(state), state_name(state));
    buf_print(&cli->out, "  %s", control_text(cli, service, "severity"));
    json_array_foreach(control_list(service, "depends"), i, name)
        buf_print(&cli->out, "%s%s", i ? ", " : "  depends on ", cli_visible(cli, json_string_value(name)));
    buf_char(&cli->out, '\n');
    json_array_foreach(control_list(service, "checks"), i, check)
    {
        buf_char(&cli->out, '\n');
        detail_check(cli, check, now_ms);
    }
}

void detail_print(struct cli *cli, const json_t *answer)
{
    int64_t now_ms = control_integer(json_object_get(answer, "daemon"), "now");
    size_t i;
    json_t *service;
    json_array_foreach(control_list(answer, "services"), i, service)
    {
        if (i)
            buf_char(&cli->out, '\n');
        print_service(cli, service, now_ms);
    }
}
