/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot - `belfry graph --term`: pictures of characters.
 *
 *     redis/server  latency, ms
 *      3 ┤            ⡀
 *      2 ┤     ⢀⡀    ⣸⣇⠤⠒
 *      1 ┤⠤⠒⠒⠒⠋⠉⠉⠉⠉⠉⠁
 *      0 └────┴─────────┴────
 *           10:00     11:00
 *     ━ latency  last 1.9 ms  min 0.8 ms  average 1.4 ms  max 2.9 ms
 *
 * A canvas is a grid of dots: 2 by 4 a character as braille, which only colours can tell apart; so several lines
 * without colours have a mark each, one a character, as everything has where the terminal knows no UTF-8. Each column
 * of dots gets the span of all values of its time, joined with the column before: no peak is lost between dots. A time
 * without a value is a gap. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"

#define ROWS 10
#define WIDTH 80 /* where nobody says how wide it is */
#define WIDTH_MAX 240
#define CANVAS_LEAST 12
#define MARGIN 12 /* for labels and axis, when the canvas is planned */
#define LINES_MAX 9
#define VALUE_MAX 1e250 /* sums of such are still numbers */
#define TICKS 4         /* about as many labels on the y axis */

static const char marks[LINES_MAX + 1] = "*o+x#@%&=";

struct line {
    const json_t *json;
    int64_t first_s, step_s;
    size_t count;
    double *values; /* in shown units; stacked */
};

struct plot {
    struct cli *cli;
    const json_t *picture;
    int64_t since_s, until_s;
    struct line lines[LINES_MAX];
    size_t line_count;
    bool braille, drawn;
    double low, high;   /* of the axis, in shown units */
    double size;        /* of a shown unit */
    long long mantissa; /* of the step between labels: mantissa * 10^exponent */
    int exponent;
    size_t margin, columns, width, height; /* columns in characters, width and height in dots */
    unsigned char *dots, *owners;          /* of each character: what is in it; the line, from 1 on */
};

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

/* ---- what is drawn -------------------------------------------------------------------------------------------- */

static size_t plot_width(const struct term *term)
{
    size_t width = term->width ? term->width : WIDTH;
    return width > WIDTH_MAX ? WIDTH_MAX : width;
}

static size_t canvas_columns(const struct term *term, size_t margin)
{
    size_t width = plot_width(term);
    return width > margin + CANVAS_LEAST ? width - margin : CANVAS_LEAST;
}

size_t plot_points(const struct term *term)
{
    return 2 * canvas_columns(term, MARGIN);
}

static void read_line(struct plot *plot, const json_t *json)
{
    struct line *line = &plot->lines[plot->line_count++];
    const json_t *values = control_list(json, "values");
    *line = (struct line){ .json = json,
                           .first_s = control_integer(json, "first"),
                           .step_s = control_integer(json, "step"),
                           .count = json_array_size(values) };
    line->values = arena_array(&plot->cli->arena, line->count + 1, sizeof *line->values);
    for (size_t i = 0; i < line->count; i++) {
        const json_t *value = json_array_get(values, i);
        line->values[i] = json_is_number(value) ? json_number_value(value) / plot->size : NAN;
        if (!(fabs(line->values[i]) < VALUE_MAX))
            line->values[i] = NAN;
    }
}

/* Lines on top of each other: each is the sum up to it. */
static void stack(struct plot *plot)
{
    for (size_t k = 1; k < plot->line_count; k++) {
        struct line *line = &plot->lines[k], *below = line - 1;
        bool same =
            line->first_s == below->first_s && line->count == below->count && !control_flag(line->json, "limit");
        for (size_t i = 0; same && i < line->count; i++)
            if (isfinite(below->values[i]))
                line->values[i] = (isfinite(line->values[i]) ? line->values[i] : 0) + below->values[i];
    }
}

static void read_lines(struct plot *plot)
{
    const double size = json_number_value(json_object_get(json_object_get(plot->picture, "scale"), "size"));
    size_t i;
    json_t *json;
    plot->size = size > 0 ? size : 1;
    json_array_foreach(control_list(plot->picture, "lines"), i, json)
    {
        bool sound = graph_is_time(control_integer(json, "first")) && graph_is_time(control_integer(json, "step")) &&
                     control_integer(json, "step") > 0;
        if (sound && plot->line_count < LINES_MAX)
            read_line(plot, json);
    }
    if (control_flag(plot->picture, "stack"))
        stack(plot);
}

/* ---- axes ----------------------------------------------------------------------------------------------------- */

static double power(int exponent)
{
    double value = 1;
    for (; exponent > 0; exponent--)
        value *= 10;
    return value;
}

/* count steps of the y axis, as exact as a double can be: 0.3 and not 0.30000000000000004. */
static double label_value(const struct plot *plot, long long count)
{
    double whole = (double)(count * plot->mantissa);
    return plot->exponent < 0 ? whole / power(-plot->exponent) : whole * power(plot->exponent);
}

/* The least of 1, 2, 5, 10, 20, ... that is not below span / TICKS. */
static void choose_step(struct plot *plot, double span)
{
    static const int mantissas[] = { 1, 2, 5, 10 };
    double least = span / TICKS;
    plot->exponent = (int)floor(log10(least));
    for (size_t i = 0; i < 4; i++) {
        plot->mantissa = mantissas[i];
        if (label_value(plot, 1) >= least * (1 - 1e-9))
            return;
    }
}

static void set_axis(struct plot *plot)
{
    double low = 0, high = 0;
    for (size_t k = 0; k < plot->line_count; k++)
        for (size_t i = 0; i < plot->lines[k].count; i++) {
            double value = plot->lines[k].values[i];
            if (!isfinite(value))
                continue;
            plot->drawn = true;
            low = fmin(low, value);
            high = fmax(high, value);
        }
    if (!(high - low > 1e-9))
        high = low + 1;
    choose_step(plot, high - low);
    double step = label_value(plot, 1);
    plot->low = label_value(plot, (long long)floor(low / step + 1e-9));
    plot->high = label_value(plot, (long long)ceil(high / step - 1e-9));
}

static size_t find_dot(const struct plot *plot, double value)
{
    double part = (value - plot->low) / (plot->high - plot->low) * (double)(plot->height - 1);
    return part <= 0 ? 0 : part >= (double)(plot->height - 1) ? plot->height - 1 : (size_t)lround(part);
}

/* From the top. */
static size_t find_row(const struct plot *plot, double value)
{
    return ROWS - 1 - find_dot(plot, value) * ROWS / plot->height;
}

/* The label of each row, or NULL. */
static void make_labels(struct plot *plot, const char *labels[ROWS])
{
    char text[TEXT_NUMBER_SIZE];
    double step = label_value(plot, 1);
    long long first = llround(plot->low / step), last = llround(plot->high / step);
    for (long long i = first; i <= last && i - first < ROWS; i++) {
        const char *label = arena_text(&plot->cli->arena, text_format_number(text, label_value(plot, i)));
        labels[find_row(plot, label_value(plot, i))] = label;
        plot->margin = strlen(label) > plot->margin ? strlen(label) : plot->margin;
    }
}

/* ---- the canvas ----------------------------------------------------------------------------------------------- */

static void set_dot(struct plot *plot, size_t x, size_t y, size_t line)
{
    /* dots 1 to 8 of a braille character by row and column */
    static const unsigned char bits[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    size_t down = plot->height - 1 - y;
    size_t cell = plot->braille ? down / 4 * plot->columns + x / 2 : down * plot->columns + x;
    plot->dots[cell] = plot->braille ? (unsigned char)(plot->dots[cell] | bits[down % 4][x % 2]) : 1;
    plot->owners[cell] = (unsigned char)(line + 1);
}

struct span {
    double least, greatest, last;
};

/* What the line has in the time of a column of dots; false: nothing. */
static bool find_span(const struct plot *plot, const struct line *line, size_t x, struct span *out)
{
    double length = (double)(plot->until_s - plot->since_s) / (double)plot->width;
    double from = (double)(plot->since_s - line->first_s + line->step_s) + (double)x * length;
    double first = floor(from / (double)line->step_s + 1e-9),
           after = ceil((from + length) / (double)line->step_s - 1e-9);
    *out = (struct span){ NAN, NAN, NAN };
    for (double i = fmax(first, 0); i < after && i < (double)line->count; i++) {
        double value = line->values[(size_t)i];
        if (!isfinite(value))
            continue;
        out->least = fmin(out->least, value);
        out->greatest = fmax(out->greatest, value);
        out->last = value;
    }
    return isfinite(out->last);
}

static void draw_line(struct plot *plot, size_t k)
{
    double before = NAN;
    struct span span;
    for (size_t x = 0; x < plot->width; x++, before = span.last) {
        if (!find_span(plot, &plot->lines[k], x, &span))
            continue;
        size_t low = find_dot(plot, span.least), high = find_dot(plot, span.greatest);
        size_t joint = isfinite(before) ? find_dot(plot, before) : low;
        if (joint > high + 1)
            high = joint - 1;
        else if (joint + 1 < low)
            low = joint + 1;
        for (size_t y = low; y <= high; y++)
            set_dot(plot, x, y, k);
    }
}

/* The first line lies on top. */
static void draw(struct plot *plot)
{
    plot->width = plot->braille ? 2 * plot->columns : plot->columns;
    plot->dots = arena_array(&plot->cli->arena, plot->columns * ROWS, 1);
    plot->owners = arena_array(&plot->cli->arena, plot->columns * ROWS, 1);
    for (size_t k = plot->line_count; k-- > 0;)
        draw_line(plot, k);
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

static void print_canvas(const struct plot *plot, const char *const labels[ROWS])
{
    struct cli *cli = plot->cli;
    for (size_t row = 0; row < ROWS; row++) {
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
        const struct line *line = &plot->lines[k];
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
    const char *labels[ROWS] = { NULL };
    read_lines(plot);
    print_title(plot);
    set_axis(plot);
    if (!plot->drawn) {
        buf_text(&plot->cli->out, "no values were recorded in this time\n");
        return;
    }
    plot->braille = plot->cli->term.utf8 && (plot->line_count == 1 || plot->cli->term.colour);
    plot->height = plot->braille ? 4 * ROWS : ROWS;
    make_labels(plot, labels);
    plot->columns = canvas_columns(&plot->cli->term, plot->margin + 2);
    draw(plot);
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
