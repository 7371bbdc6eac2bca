/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot - where everything in a picture of characters stands.
 *
 * A canvas is a grid of dots: 2 by 4 a character as braille, which only colours can tell apart; so several lines
 * without colours have a mark each, one a character, as everything has where the terminal knows no UTF-8. Each column
 * of dots gets the span of all values of its time, joined with the column before: no peak is lost between dots. A time
 * without a value is a gap. */
#include "core/cli/plot.h"

#include <math.h>
#include <string.h>

#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"

#define WIDTH 80 /* where nobody says how wide it is */
#define WIDTH_MAX 240
#define CANVAS_LEAST 12
#define MARGIN 12       /* for labels and axis, when points are counted */
#define AXIS_COLUMNS 2  /* between labels and canvas */
#define VALUE_MAX 1e250 /* sums of such are still numbers */
#define TICKS 4         /* about as many labels on the y axis */

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
    struct plot_line *line = &plot->lines[plot->line_count++];
    const json_t *values = control_list(json, "values");
    *line = (struct plot_line){ .json = json,
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
        struct plot_line *line = &plot->lines[k], *below = line - 1;
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
        if (sound && plot->line_count < PLOT_LINES_MAX)
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
            plot->any = true;
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
    return PLOT_ROWS - 1 - find_dot(plot, value) * PLOT_ROWS / plot->height;
}

void plot_measure(struct plot *plot)
{
    read_lines(plot);
    set_axis(plot);
    plot->braille = plot->cli->term.utf8 && (plot->line_count == 1 || plot->cli->term.colour);
    plot->height = plot->braille ? 4 * PLOT_ROWS : PLOT_ROWS;
}

void plot_label(struct plot *plot, const char *labels[PLOT_ROWS])
{
    char text[TEXT_NUMBER_SIZE];
    double step = label_value(plot, 1);
    long long first = llround(plot->low / step), last = llround(plot->high / step);
    for (long long i = first; i <= last && i - first < PLOT_ROWS; i++) {
        const char *label = arena_text(&plot->cli->arena, text_format_number(text, label_value(plot, i)));
        labels[find_row(plot, label_value(plot, i))] = label;
        plot->margin = strlen(label) > plot->margin ? strlen(label) : plot->margin;
    }
    plot->columns = canvas_columns(&plot->cli->term, plot->margin + AXIS_COLUMNS);
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
static bool find_span(const struct plot *plot, const struct plot_line *line, size_t x, struct span *out)
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
void plot_draw(struct plot *plot)
{
    plot->width = plot->braille ? 2 * plot->columns : plot->columns;
    plot->dots = arena_array(&plot->cli->arena, plot->columns * PLOT_ROWS, 1);
    plot->owners = arena_array(&plot->cli->arena, plot->columns * PLOT_ROWS, 1);
    for (size_t k = plot->line_count; k-- > 0;)
        draw_line(plot, k);
}
