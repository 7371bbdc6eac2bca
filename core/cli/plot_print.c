/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot_print - writes a picture of characters:
 *
 *     redis/server  latency, ms
 *      3 ┤            ⡀
 *      2 ┤     ⢀⡀    ⣸⣇⠤⠒
 *      1 ┤⠤⠒⠒⠒⠋⠉⠉⠉⠉⠉⠁
 *      0 └────┴─────────┴────
 *           10:00     11:00
 *     ━  latency  last 1.9 ms  min 0.8 ms  average 1.4 ms  max 2.9 ms */
#include <string.h>
#include <time.h>

#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/plot.h"

static const char marks[PLOT_LINES_MAX + 1] = "*o+x#@%&=";

/* ---- text ----------------------------------------------------------------------------------------------------- */

/* A terminal without UTF-8 gets none, also through a pipe. */
static const char *plain(const struct plot *plot, const char *text)
{
    if (plot->cli->term.utf8)
        return text;
    char *out = arena_text(&plot->cli->arena, text);
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x80)
            out[n++] = *c;
        else if ((unsigned char)*c >= 0xC0)
            out[n++] = strncmp(c, "\xC2\xB5", 2) == 0 ? 'u' : '?'; /* microseconds */
    }
    out[n] = '\0';
    return out;
}

static const char *choose(const struct plot *plot, const char *utf8, const char *ascii)
{
    return plot->cli->term.utf8 ? utf8 : ascii;
}

static enum style line_style(const struct plot *plot, size_t i)
{
    return control_flag(plot->lines[i].json, "limit") ? STYLE_FAINT : (enum style)(STYLE_LINE + i % STYLE_LINE_COUNT);
}

/* ---- printing ------------------------------------------------------------------------------------------------- */

static void add_cell(const struct plot *plot, struct buf *run, size_t cell)
{
    if (plot->dots[cell] == 0)
        buf_char(run, ' ');
    else if (!plot->braille)
        buf_char(run, marks[plot->owners[cell] - 1]);
    else /* U+2800 and the dots */
        buf_print(run, "\xE2%c%c", 0xA0 + (plot->dots[cell] >> 6), 0x80 + (plot->dots[cell] & 0x3F));
}

/* Characters of one line that follow each other are coloured at once. */
static void print_cells(const struct plot *plot, size_t row)
{
    struct cli *cli = plot->cli;
    struct buf run = { 0 };
    size_t end = plot->columns;
    while (end > 0 && plot->dots[row * plot->columns + end - 1] == 0)
        end--;
    for (size_t x = 0; x < end; x++) {
        size_t cell = row * plot->columns + x;
        add_cell(plot, &run, cell);
        if (x + 1 < end && plot->owners[cell] == plot->owners[cell + 1])
            continue;
        enum style style = plot->owners[cell] ? line_style(plot, plot->owners[cell] - 1u) : STYLE_PLAIN;
        term_text(&cli->term, &cli->out, style, run.data);
        buf_reset(&run);
    }
    buf_close(&run);
    buf_char(&cli->out, '\n');
}

static void print_canvas(const struct plot *plot, const char *const labels[PLOT_ROWS])
{
    struct cli *cli = plot->cli;
    for (size_t row = 0; row < PLOT_ROWS; row++) {
        term_right(&cli->term, &cli->out, STYLE_PLAIN, labels[row] ? labels[row] : "", plot->margin);
        term_text(&cli->term, &cli->out, STYLE_FAINT,
                  labels[row] ? choose(plot, " \xE2\x94\xA4", " +") : choose(plot, " \xE2\x94\x82", " |"));
        print_cells(plot, row);
    }
}

/* A step of the time axis, and how its labels look; midnight is a date. */
static const struct time_step {
    int64_t step_s;
    const char *format;
    size_t length;
} time_steps[] = {
    { 1, "%H:%M:%S", 8 },
    { 5, "%H:%M:%S", 8 },
    { 15, "%H:%M:%S", 8 },
    { 60, "%H:%M", 5 },
    { 120, "%H:%M", 5 },
    { 300, "%H:%M", 5 },
    { 600, "%H:%M", 5 },
    { 1800, "%H:%M", 5 },
    { 3600, "%H:%M", 5 },
    { 2 * 3600, "%H:%M", 5 },
    { 4 * 3600, "%H:%M", 5 },
    { 6 * 3600, "%H:%M", 5 },
    { 12 * 3600, "%H:%M", 5 },
    { 86400, "%m-%d", 5 },
    { 2 * 86400, "%m-%d", 5 },
    { 7 * 86400, "%m-%d", 5 },
    { 14 * 86400, "%m-%d", 5 },
    { 28 * 86400, "%m-%d", 5 },
    { 91 * 86400, "%Y-%m-%d", 10 },
    { 364 * 86400, "%Y-%m-%d", 10 },
    { 3640 * 86400LL, "%Y-%m-%d", 10 },
};
#define TIME_STEPS (sizeof time_steps / sizeof *time_steps)
#define TIME_GAP 4 /* between two labels, at least */

static const struct time_step *choose_time_step(const struct plot *plot)
{
    size_t i = 0;
    for (; i + 1 < TIME_STEPS; i++) {
        double columns = (double)time_steps[i].step_s / (double)(plot->until_s - plot->since_s) * (double)plot->columns;
        if (columns >= (double)(time_steps[i].length + TIME_GAP))
            break;
    }
    return &time_steps[i];
}

static void format_tick(const struct time_step *step, int64_t at_s, char out[16])
{
    struct tm parts = { 0 };
    time_t at = (time_t)at_s;
    localtime_r(&at, &parts);
    bool midnight = parts.tm_hour == 0 && parts.tm_min == 0 && parts.tm_sec == 0;
    if (strftime(out, 16, midnight && step->length == 5 ? "%m-%d" : step->format, &parts) == 0)
        out[0] = '\0';
}

/* The first whole step of the local time that is not before since. */
static int64_t first_tick(const struct plot *plot, int64_t step_s)
{
    struct tm parts = { 0 };
    time_t since = (time_t)plot->since_s;
    localtime_r(&since, &parts);
    int64_t local_s = plot->since_s + parts.tm_gmtoff;
    return plot->since_s + (step_s - local_s % step_s) % step_s;
}

static void print_times(const struct plot *plot)
{
    struct cli *cli = plot->cli;
    struct buf labels = { 0 };
    const struct time_step *step = choose_time_step(plot);
    char label[16];
    int64_t at_s = first_tick(plot, step->step_s);
    size_t used = 0; /* columns */
    term_spaces(&labels, plot->margin + 2);
    term_spaces(&cli->out, plot->margin + 1);
    buf_text(&cli->out, choose(plot, "\xE2\x94\x94", "+"));
    for (size_t x = 0; x < plot->columns; x++) {
        int64_t until_s = plot->since_s + (int64_t)(x + 1) * (plot->until_s - plot->since_s) / (int64_t)plot->columns;
        bool tick = at_s < until_s;
        buf_text(&cli->out, tick ? choose(plot, "\xE2\x94\xB4", "+") : choose(plot, "\xE2\x94\x80", "-"));
        if (!tick)
            continue;
        format_tick(step, at_s, label);
        size_t half = strlen(label) / 2, begin = x > half ? x - half : 0;
        if (begin >= used + (used > 0) && begin + strlen(label) <= plot->columns) {
            term_spaces(&labels, begin - used);
            buf_text(&labels, label);
            used = begin + strlen(label);
        }
        while (at_s < until_s)
            at_s += step->step_s;
    }
    buf_print(&cli->out, "\n%s\n", labels.data);
    buf_close(&labels);
}

static const char *figure(const struct plot *plot, const json_t *line, const char *name)
{
    char text[TEXT_VALUE_SIZE];
    const json_t *value = json_object_get(line, name);
    if (!json_is_number(value))
        return "-";
    text_format_value(text, json_number_value(value), control_text(plot->cli, plot->picture, "unit"));
    return plain(plot, arena_text(&plot->cli->arena, text));
}

static void print_legend(const struct plot *plot)
{
    static const char *const figures[] = { "last", "min", "average", "max" };
    static const char *const titles[] = { "", "", "last", "min", "average", "max" };
    struct cli *cli = plot->cli;
    struct table table = { .columns = 6, .titles = titles };
    for (size_t k = 0; k < plot->line_count; k++) {
        const struct plot_line *line = &plot->lines[k];
        const char *mark = arena_print(&cli->arena, "%c", marks[k]);
        table_add(&table, line_style(plot, k), plot->braille ? "\xE2\x94\x81" : mark);
        table_add(&table, STYLE_PLAIN, plain(plot, control_text(cli, line->json, "label")));
        for (size_t i = 0; i < 4; i++)
            table_add(&table, STYLE_PLAIN, figure(plot, line->json, figures[i]));
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
    if (control_integer(plot->picture, "left_out") > 0)
        buf_print(&cli->out, "and %lld more of lower means\n", (long long)control_integer(plot->picture, "left_out"));
}

static void print_title(const struct plot *plot)
{
    struct cli *cli = plot->cli;
    const char *unit = control_text(cli, json_object_get(plot->picture, "scale"), "unit");
    const char *title = arena_print(&cli->arena, "%s%s%s%s", control_text(cli, plot->picture, "title"),
                                    *unit ? ", " : "", unit, control_flag(plot->picture, "stack") ? ", stacked" : "");
    term_text(&cli->term, &cli->out, STYLE_STRONG, plain(plot, title));
    buf_char(&cli->out, '\n');
}

static void print_picture(struct plot *plot)
{
    const char *labels[PLOT_ROWS] = { NULL };
    print_title(plot);
    plot_measure(plot);
    if (!plot->any) {
        buf_text(&plot->cli->out, "no values were recorded in this time\n");
        return;
    }
    plot_label(plot, labels);
    plot_draw(plot);
    print_canvas(plot, labels);
    print_times(plot);
    print_legend(plot);
}

void plot_print(struct cli *cli, const json_t *answer)
{
    size_t i;
    json_t *picture;
    json_array_foreach(control_list(answer, "pictures"), i, picture)
    {
        struct plot plot = { .cli = cli,
                             .picture = picture,
                             .since_s = control_integer(answer, "since"),
                             .until_s = control_integer(answer, "until") };
        if (i > 0)
            buf_char(&cli->out, '\n');
        if (graph_is_time(plot.since_s) && graph_is_time(plot.until_s) && plot.until_s > plot.since_s)
            print_picture(&plot);
    }
}
