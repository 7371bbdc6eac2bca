/* SPDX-License-Identifier: GPL-3.0-or-later */
/* board - what `belfry status` shows.
 *
 *     Belfry 0.1.0  up 3 d 4 h  12 checks in 3 services  1 CRITICAL                  2026-11-21 03:12:09
 *
 *     ✗ redis  CRITICAL  sev2
 *         server   CRITICAL           12 min  127.0.0.1:6379: connection refused
 *                                             circuit open, next try in 24 s
 *
 *     ✓ OK
 *         host     5 checks OK        12 s ago
 *         mariadb  3 checks OK        20 s ago  latency 0.4 ms
 *
 * Worst first; of a service in trouble only the checks and parts that are not OK, each with what is known of it; what
 * is well takes one line a service. Then what is wrong with Belfry itself: its plugins, its configuration. Ages are
 * counted by the daemon's clock. A check without a result yet is "waiting" and no trouble. */
#include "core/cli/board.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/drill.h"
#include "core/model/state.h"

#define INDENT 4
#define CONFIG_ERROR_LINES 8
#define PANIC_LINES 4
#define PANIC_SHOWN_MS (7LL * 86400000)

/* One service with what its place on the board depends on. */
struct entry {
    const json_t *service;
    const char *name;
    enum belfry_state state; /* the worst of its own and its checks' newest results */
    bool trouble;
    size_t known, checks;
    size_t first_row, row_count; /* in the table of trouble */
};

struct board {
    struct cli *cli;
    const json_t *answer;
    int64_t now_ms;
    struct entry *entries;
    size_t count;
    struct table trouble;
};

static const enum belfry_state worst_first[] = { BELFRY_CRITICAL, BELFRY_UNKNOWN, BELFRY_WARNING, BELFRY_OK };

/* ---- order ---------------------------------------------------------------------------------------------------- */

static bool is_noted(struct board *b, const json_t *check)
{
    struct notes notes;
    condition_notes(b->cli, check, b->now_ms, &notes);
    return notes.count > 0;
}

static enum belfry_state worst_part(const json_t *check)
{
    enum belfry_state worst = BELFRY_OK;
    size_t i;
    json_t *part;
    json_array_foreach(control_list(check, "parts"), i, part) worst = state_worse(worst, control_state(part, "state"));
    return worst;
}

static bool is_trouble(struct board *b, const json_t *check)
{
    if (!control_flag(check, "known"))
        return condition_disabled(check);
    return control_state(check, "state") != BELFRY_OK || worst_part(check) != BELFRY_OK || is_noted(b, check);
}

static void weigh(struct board *b, struct entry *e)
{
    size_t i;
    json_t *check;
    e->name = control_text(b->cli, e->service, "name");
    e->checks = json_array_size(control_list(e->service, "checks"));
    json_array_foreach(control_list(e->service, "checks"), i, check)
    {
        e->known += control_flag(check, "known");
        e->trouble |= is_trouble(b, check);
        if (control_flag(check, "known"))
            e->state = state_worse(e->state, control_state(check, "state"));
    }
    if (e->known == e->checks)
        e->state = state_worse(e->state, control_state(e->service, "state"));
    e->trouble |= e->state != BELFRY_OK;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->trouble != b->trouble)
        return a->trouble ? -1 : 1;
    if (state_rank(a->state) != state_rank(b->state))
        return state_rank(b->state) - state_rank(a->state);
    const char *as = json_string_value(json_object_get(a->service, "severity"));
    const char *bs = json_string_value(json_object_get(b->service, "severity"));
    int order = as && bs && a->trouble ? strcmp(as, bs) : 0;
    return order ? order : strcmp(a->name, b->name);
}

static void board_open(struct board *b, struct cli *cli, const json_t *answer)
{
    json_t *services = control_list(answer, "services"), *service;
    size_t i;
    *b = (struct board){ .cli = cli, .answer = answer };
    b->now_ms = control_integer(json_object_get(answer, "daemon"), "now");
    b->entries = arena_array(&cli->arena, json_array_size(services) + 1, sizeof *b->entries);
    b->trouble = (struct table){ .columns = 4, .indent = INDENT };
    json_array_foreach(services, i, service)
    {
        b->entries[b->count].service = service;
        weigh(b, &b->entries[b->count++]);
    }
    qsort(b->entries, b->count, sizeof *b->entries, compare_entries);
}

/* ---- head ----------------------------------------------------------------------------------------------------- */

/* "1 CRITICAL, 2 WARNING": services by state, worst first. */
static void print_counts(const struct board *b, const struct term *term, struct buf *out)
{
    const char *gap = "";
    for (size_t s = 0; worst_first[s] != BELFRY_OK; s++) {
        size_t count = 0;
        for (size_t i = 0; i < b->count; i++)
            count += b->entries[i].state == worst_first[s];
        if (count == 0)
            continue;
        buf_text(out, gap);
        term_text(term, out, term_state_style(worst_first[s]),
                  arena_print(&b->cli->arena, "%zu %s", count, state_name(worst_first[s])));
        gap = ", ";
    }
    size_t waiting = 0;
    for (size_t i = 0; i < b->count; i++)
        waiting += b->entries[i].checks - b->entries[i].known;
    if (*gap == '\0' && b->count && !waiting)
        term_text(term, out, STYLE_OK, "all OK");
    else if (*gap == '\0' && waiting)
        buf_print(out, "%zu without a result yet", waiting);
}

static const char *plural(struct cli *cli, int64_t n, const char *what)
{
    return arena_print(&cli->arena, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

static void print_head(struct board *b)
{
    struct cli *cli = b->cli;
    const json_t *daemon = json_object_get(b->answer, "daemon");
    char local[TEXT_TIME_SIZE];
    struct term plain = { .colour = false };
    struct buf counts = { 0 };
    const char *rest = arena_print(
        &cli->arena, " %s  %s  up %s  %s in %s", control_text(cli, daemon, "version"),
        text_format_local(local, b->now_ms), condition_age(cli, control_integer(daemon, "started"), b->now_ms),
        plural(cli, control_integer(daemon, "checks"), "check"), plural(cli, (int64_t)b->count, "service"));
    print_counts(b, &plain, &counts);
    term_text(&cli->term, &cli->out, STYLE_STRONG, "Belfry");
    buf_text(&cli->out, rest);
    bool fits = cli->term.width == 0 || strlen("Belfry") + term_columns(rest) + 2 + counts.length <= cli->term.width;
    buf_text(&cli->out, fits ? "  " : "\n");
    print_counts(b, &cli->term, &cli->out);
    buf_char(&cli->out, '\n');
    buf_close(&counts);
}

/* ---- trouble -------------------------------------------------------------------------------------------------- */

static void add_row(struct board *b, const char *name, struct table_cell state, const char *age, const char *text)
{
    table_add(&b->trouble, STYLE_PLAIN, name);
    table_add(&b->trouble, state.style, state.text);
    table_add(&b->trouble, STYLE_FAINT, age);
    table_add(&b->trouble, STYLE_PLAIN, text);
}

static void add_parts_in(struct board *b, const json_t *check, enum belfry_state state)
{
    size_t i;
    json_t *part;
    json_array_foreach(control_list(check, "parts"), i, part)
    {
        if (control_state(part, "state") != state)
            continue;
        add_row(b, arena_print(&b->cli->arena, "  %s", control_text(b->cli, part, "name")),
                (struct table_cell){ state_name(state), term_state_style(state) },
                condition_age(b->cli, control_integer(part, "since"), b->now_ms), control_text(b->cli, part, "text"));
    }
}

static void add_parts(struct board *b, const json_t *check)
{
    for (size_t s = 0; worst_first[s] != BELFRY_OK; s++)
        add_parts_in(b, check, worst_first[s]);
}

static void add_check(struct board *b, const json_t *check)
{
    struct notes notes;
    enum belfry_state state = control_state(check, "state");
    add_row(b, condition_name(b->cli, check),
            (struct table_cell){ condition_state(b->cli, check), term_state_style(state) },
            condition_age(b->cli, control_integer(check, "since"), b->now_ms), control_text(b->cli, check, "text"));
    condition_notes(b->cli, check, b->now_ms, &notes);
    for (size_t i = 0; i < notes.count; i++)
        add_row(b, "", (struct table_cell){ "", STYLE_PLAIN }, "", notes.items[i]);
    add_parts(b, check);
}

/* The checks of the service that are in this state and in trouble; how many are well. */
static size_t add_checks_in(struct board *b, const struct entry *e, enum belfry_state state)
{
    size_t i, well = 0;
    json_t *check;
    json_array_foreach(control_list(e->service, "checks"), i, check)
    {
        if (control_state(check, "state") != state)
            continue;
        if (is_trouble(b, check))
            add_check(b, check);
        else
            well += control_flag(check, "known");
    }
    return well;
}

static void add_entry(struct board *b, struct entry *e)
{
    size_t well = 0;
    e->first_row = b->trouble.count / b->trouble.columns;
    for (size_t s = 0; s < sizeof worst_first / sizeof *worst_first; s++)
        well += add_checks_in(b, e, worst_first[s]);
    if (well)
        add_row(b, arena_print(&b->cli->arena, "%zu more", well), (struct table_cell){ "OK", STYLE_OK }, "", "");
    e->row_count = b->trouble.count / b->trouble.columns - e->first_row;
}

/* What it depends on and is not well either: where to look first. */
static const char *name_causes(struct board *b, const struct entry *e)
{
    const char *text = "";
    size_t i;
    json_t *name;
    json_array_foreach(control_list(e->service, "depends"), i, name)
    {
        const char *on = cli_visible(b->cli, json_string_value(name));
        for (size_t k = 0; k < b->count; k++)
            if (strcmp(b->entries[k].name, on) == 0 && b->entries[k].state != BELFRY_OK)
                text = arena_print(&b->cli->arena, "%s%s%s (%s)", text, *text ? ", " : "  needs ", on,
                                   state_name(b->entries[k].state));
    }
    return text;
}

static void print_entry(struct board *b, const struct entry *e)
{
    struct cli *cli = b->cli;
    enum style style = term_state_style(e->state);
    const char *title = control_text(cli, e->service, "title");
    buf_char(&cli->out, '\n');
    term_text(&cli->term, &cli->out, style, condition_symbol(&cli->term, e->state));
    buf_char(&cli->out, ' ');
    term_text(&cli->term, &cli->out, STYLE_STRONG, e->name);
    if (*title && strcasecmp(title, e->name) != 0)
        buf_print(&cli->out, "  %s", title);
    buf_text(&cli->out, "  ");
    term_text(&cli->term, &cli->out, style, state_name(e->state));
    const char *severity = control_text(cli, e->service, "severity");
    if (*severity)
        term_text(&cli->term, &cli->out, STYLE_FAINT, arena_print(&cli->arena, "  %s", severity));
    buf_text(&cli->out, name_causes(b, e));
    buf_char(&cli->out, '\n');
    for (size_t i = 0; i < e->row_count; i++)
        table_print_row(&b->trouble, e->first_row + i, &cli->term, &cli->out);
}

static void print_trouble(struct board *b)
{
    for (size_t i = 0; i < b->count && b->entries[i].trouble; i++)
        add_entry(b, &b->entries[i]);
    table_measure(&b->trouble, &b->cli->term);
    for (size_t i = 0; i < b->count && b->entries[i].trouble; i++)
        print_entry(b, &b->entries[i]);
}

/* ---- what is well --------------------------------------------------------------------------------------------- */

/* The check's metric of that name, when it has a value. */
static const json_t *find_metric(const json_t *check, const char *name)
{
    size_t i;
    json_t *metric;
    json_array_foreach(control_list(check, "metrics"), i, metric)
    {
        const char *is = json_string_value(json_object_get(metric, "name"));
        if (is && strcmp(is, name) == 0 && json_is_number(json_object_get(metric, "value")))
            return metric;
    }
    return NULL;
}

/* How fast the service answers: the first metric of its checks that is the name of a time. */
static const char *find_latency(struct cli *cli, const json_t *service)
{
    static const char *const names[] = { "latency", "time_total", "total", "response_time", "time", "connect" };
    size_t c;
    json_t *check;
    char value[TEXT_VALUE_SIZE];
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        json_array_foreach(control_list(service, "checks"), c, check)
        {
            const json_t *metric = find_metric(check, names[n]);
            if (metric == NULL || strcmp(control_text(cli, metric, "unit"), "s") != 0)
                continue;
            text_format_value(value, json_number_value(json_object_get(metric, "value")), "s");
            return arena_print(&cli->arena, "%s %s", names[n], value);
        }
    return "";
}

static int64_t newest_run(const json_t *service)
{
    int64_t newest = 0;
    size_t i;
    json_t *check;
    json_array_foreach(control_list(service, "checks"), i, check)
    {
        int64_t at = control_integer(check, "last_run");
        newest = at > newest ? at : newest;
    }
    return newest;
}

static const char *tell_well(struct cli *cli, const struct entry *e)
{
    if (e->known == e->checks)
        return arena_print(&cli->arena, "%s OK", plural(cli, (int64_t)e->checks, "check"));
    if (e->known == 0)
        return "no result yet";
    return arena_print(&cli->arena, "%zu OK, %zu waiting", e->known, e->checks - e->known);
}

static void print_well(struct board *b)
{
    struct cli *cli = b->cli;
    struct table table = { .columns = 4, .indent = INDENT };
    for (size_t i = 0; i < b->count; i++) {
        const struct entry *e = &b->entries[i];
        if (e->trouble)
            continue;
        const char *age = condition_age(cli, newest_run(e->service), b->now_ms);
        table_add(&table, STYLE_PLAIN, e->name);
        table_add(&table, STYLE_PLAIN, tell_well(cli, e));
        table_add(&table, STYLE_FAINT, *age ? arena_print(&cli->arena, "%s ago", age) : "");
        table_add(&table, STYLE_FAINT, find_latency(cli, e->service));
    }
    if (table.count) {
        buf_char(&cli->out, '\n');
        term_text(&cli->term, &cli->out, STYLE_OK, condition_symbol(&cli->term, BELFRY_OK));
        buf_text(&cli->out, " OK\n");
        table_print(&table, &cli->term, &cli->out);
    }
    table_close(&table);
}

/* ---- Belfry itself -------------------------------------------------------------------------------------------- */

static void print_plugins(struct board *b)
{
    struct cli *cli = b->cli;
    struct table table = { .columns = 4, .indent = INDENT };
    size_t i;
    json_t *plugin;
    json_array_foreach(control_list(b->answer, "plugins"), i, plugin)
    {
        const char *state = control_text(cli, plugin, "state");
        int64_t crashes = control_integer(plugin, "crashes");
        if (crashes == 0 && strcmp(state, "missing") != 0 && strcmp(state, "throttled") != 0)
            continue;
        table_add(&table, STYLE_PLAIN, control_text(cli, plugin, "name"));
        table_add(&table, STYLE_WARNING, state);
        table_add(&table, STYLE_FAINT, crashes == 1 ? "1 crash" : crashes ? plural(cli, crashes, "crashe") : "");
        table_add(&table, STYLE_PLAIN, control_text(cli, plugin, "text"));
    }
    if (table.count) {
        buf_text(&cli->out, "\nPlugins in trouble\n");
        table_print(&table, &cli->term, &cli->out);
    }
    table_close(&table);
}

static bool lacks_sandbox(const char *standing)
{
    return standing && *standing && strncmp(standing, "seccomp, landlock", strlen("seccomp, landlock")) != 0;
}

/* A member that lacks a part of its sandbox joins those that say the same. */
static void add_sandbox(struct cli *cli, json_t *reasons, const char *who, const char *standing)
{
    if (!lacks_sandbox(standing))
        return;
    const char *others = json_string_value(json_object_get(reasons, standing));
    json_object_set_new(reasons, standing, json_string(others ? arena_print(&cli->arena, "%s, %s", others, who) : who));
}

/* Whose sandbox is not whole, and why. */
static void print_sandbox(struct board *b)
{
    struct cli *cli = b->cli;
    json_t *reasons = json_object(), *plugin, *who;
    const char *why;
    size_t i;
    add_sandbox(cli, reasons, "recorder", control_text(cli, json_object_get(b->answer, "daemon"), "recorder_sandbox"));
    json_array_foreach(control_list(b->answer, "plugins"), i, plugin)
        add_sandbox(cli, reasons, control_text(cli, plugin, "name"), control_text(cli, plugin, "sandbox"));
    json_object_foreach(reasons, why, who)
    {
        buf_char(&cli->out, '\n');
        term_text(&cli->term, &cli->out, STYLE_WARNING, why);
        buf_char(&cli->out, '\n');
        term_spaces(&cli->out, INDENT);
        term_fold(&cli->term, &cli->out, json_string_value(who), INDENT, 4);
    }
    json_decref(reasons);
}

static void print_config_error(struct board *b)
{
    struct cli *cli = b->cli;
    const json_t *daemon = json_object_get(b->answer, "daemon");
    const char *error = json_string_value(json_object_get(daemon, "config_error"));
    if (error == NULL)
        return;
    buf_char(&cli->out, '\n');
    term_text(&cli->term, &cli->out, STYLE_WARNING,
              "The last configuration was refused; the one before it is in force");
    buf_char(&cli->out, '\n');
    term_spaces(&cli->out, INDENT);
    term_fold(&cli->term, &cli->out, cli_visible_lines(cli, error), INDENT, CONFIG_ERROR_LINES);
}

/* The family itself: what hangs, and the daemon's own last crash, for a week. */
static void print_health(struct board *b)
{
    struct cli *cli = b->cli;
    const json_t *daemon = json_object_get(b->answer, "daemon");
    int64_t unkillable = control_integer(daemon, "unkillable_workers"), at = control_integer(daemon, "panicked");
    const char *panic = json_string_value(json_object_get(daemon, "panic"));
    if (unkillable > 0)
        term_text(&cli->term, &cli->out, STYLE_WARNING,
                  arena_print(&cli->arena, "\n%s %s in the kernel and can't be killed\n",
                              plural(cli, unkillable, "worker"), unkillable == 1 ? "hangs" : "hang"));
    if (panic == NULL || b->now_ms - at > PANIC_SHOWN_MS)
        return;
    term_text(&cli->term, &cli->out, STYLE_WARNING,
              arena_print(&cli->arena, "\nbelfryd crashed %s ago and was started again\n",
                          condition_age(cli, at, b->now_ms)));
    term_spaces(&cli->out, INDENT);
    term_fold(&cli->term, &cli->out, cli_visible(cli, panic), INDENT, PANIC_LINES);
}

/* A line for each thing that is not as it should be; a board without the group is of an older daemon. */
static void print_journal(struct board *b)
{
    struct cli *cli = b->cli;
    const json_t *journal = json_object_get(json_object_get(b->answer, "daemon"), "journal"), *damage;
    const char *state = control_text(cli, journal, "state"), *recovered = control_text(cli, journal, "recovered");
    int64_t waiting = control_integer(journal, "waiting_bytes"), unrecorded = control_integer(journal, "unrecorded");
    size_t i;
    if (*state && strcmp(state, "fine") != 0)
        buf_print(&cli->out, "\nJournal %s: %s; %s for the disk, %s not recorded\n", state,
                  control_text(cli, journal, "error"),
                  waiting == 1 ? "1 byte waits" : arena_print(&cli->arena, "%lld bytes wait", (long long)waiting),
                  unrecorded == 1 ? "1 event was"
                                  : arena_print(&cli->arena, "%lld events were", (long long)unrecorded));
    if (*recovered)
        buf_print(&cli->out, "\nJournal recovered: %s\n", recovered);
    json_array_foreach(control_list(journal, "damage"), i, damage)
        buf_print(&cli->out, "%sJournal damaged: %s line %lld: %s: %s\n", i == 0 ? "\n" : "",
                  control_text(cli, damage, "segment"), (long long)control_integer(damage, "line"),
                  control_text(cli, damage, "kind"), control_text(cli, damage, "text"));
    if (*recovered || i > 0)
        buf_text(&cli->out, "'belfry journal acknowledge' says that this was seen\n");
    const json_t *failed = json_object_get(journal, "anchor_failed");
    if (json_is_object(failed))
        buf_print(&cli->out, "\nJournal's head not noted down for %s: %s\n",
                  condition_age(cli, control_integer(failed, "since"), b->now_ms), control_text(cli, failed, "text"));
    const char *sync = control_text(cli, journal, "sync");
    if (*sync && strcmp(sync, "always") != 0)
        buf_print(&cli->out, "\nJournal synced every %s: a power cut may take what was shown since\n", sync);
}

void board_print(struct cli *cli, const json_t *answer)
{
    struct board b;
    board_open(&b, cli, answer);
    print_head(&b);
    print_trouble(&b);
    print_well(&b);
    print_plugins(&b);
    print_sandbox(&b);
    drill_print_running(cli, control_list(json_object_get(answer, "daemon"), "drills"));
    recovery_print_running(cli, control_list(json_object_get(answer, "daemon"), "runbooks"), b.now_ms);
    print_config_error(&b);
    print_health(&b);
    print_journal(&b);
    table_close(&b.trouble);
}

enum belfry_state board_worst(const json_t *answer)
{
    enum belfry_state worst = BELFRY_OK;
    size_t i, c, known = 0, checks = 0;
    json_t *service, *check;
    json_array_foreach(control_list(answer, "services"), i, service)
        json_array_foreach(control_list(service, "checks"), c, check)
    {
        checks++;
        if (!control_flag(check, "known"))
            continue;
        known++;
        worst = state_worse(worst, control_state(check, "state"));
    }
    return checks && known == 0 ? BELFRY_UNKNOWN : worst;
}
