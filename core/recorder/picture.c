/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picture - one graph.
 *
 * The values are read first (last, least, mean, greatest of each metric): the axis gets a readable unit and bounds, the
 * legend its figures in the words of text_format_value(), which all of Belfry uses. Then librrd draws:
 *   one metric       the mean as a line over an area, the span from least to greatest as a band, thresholds dashed
 *   several metrics  a line each, in colours that are told apart by the colour-blind too (after Okabe and Ito)
 * Times without a value are gaps. An SVG, whose text librrd turns into outlines, gets <title> and <desc> elements, so
 * that it can be searched and read aloud. */
#include "core/recorder/picture.h"

#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/range.h"
#include "core/recorder/args.h"
#include "core/recorder/scale.h"
#include "core/recorder/store.h"

#define NAME_COLUMN 24 /* characters of a metric's name in the legend */
#define VALUE_COLUMN 12
#define NAME_BYTES 160

struct theme {
    const char *back, *grid, *main_grid, *font, *axis, *warning, *critical;
    const char *colours[PICTURE_METRICS_MAX];
};

static const struct theme light = {
    "#FFFFFF",   "#1F232814",
    "#1F232828", "#1F2328",
    "#6E7781",   "#BF8700",
    "#CF222E",   { "#0072B2", "#D55E00", "#009E73", "#B5548B", "#E69F00", "#56B4E9", "#6B5B2E", "#555555" }
};
static const struct theme dark = {
    "#161B22",   "#FFFFFF12",
    "#FFFFFF26", "#D8DEE6",
    "#7D8792",   "#E3B341",
    "#FF6B62",   { "#56B4E9", "#FF8A4C", "#2CC59B", "#E58CC0", "#F0C23B", "#8AA4FF", "#C9B37A", "#B4BCC6" }
};

struct stats {
    double last, least, mean, greatest; /* NaN: no value */
};

struct drawing {
    const struct picture *picture;
    const struct theme *theme;
    struct arena *arena;
    struct args args;
    struct stats stats[PICTURE_METRICS_MAX];
    struct scale scale;
    double low, high; /* of the axis, in the metric's unit */
    bool any;         /* a value at all */
};

/* ---- figures ---------------------------------------------------------------------------------------------------- */

/* What one consolidation function contributes. */
enum figure {
    FIGURE_MEAN, /* and the last value */
    FIGURE_LEAST,
    FIGURE_GREATEST
};
static const char *const figure_functions[] = { "AVERAGE", "MIN", "MAX" };

static void add_column(struct stats *stats, enum figure figure, const struct store_values *values, uint64_t column)
{
    double sum = 0;
    uint64_t count = 0;
    for (uint64_t i = 0; i < values->count; i++) {
        double value = values->values[i * values->source_count + column];
        if (!isfinite(value))
            continue;
        sum += value;
        count++;
        if (figure == FIGURE_MEAN)
            stats->last = value;
        if (figure == FIGURE_LEAST)
            stats->least = fmin(stats->least, value);
        if (figure == FIGURE_GREATEST)
            stats->greatest = fmax(stats->greatest, value);
    }
    if (figure == FIGURE_MEAN && count > 0)
        stats->mean = sum / (double)count;
}

static int add_figure(struct drawing *drawing, enum figure figure, struct why *why)
{
    const struct picture *picture = drawing->picture;
    struct store_fetch fetch = { .path = picture->file,
                                 .function = figure_functions[figure],
                                 .since_s = picture->since_s,
                                 .until_s = picture->until_s,
                                 .step_s = (uint64_t)((picture->until_s - picture->since_s) / picture->width + 1) };
    struct store_values values;
    int code = store_fetch(&fetch, &values, why);
    for (uint32_t m = 0; code == 0 && m < picture->metric_count; m++)
        for (uint64_t column = 0; column < values.source_count; column++)
            if (strcmp(values.sources[column], picture->metrics[m]->source) == 0)
                add_column(&drawing->stats[m], figure, &values, column);
    store_values_close(&values);
    return code;
}

static int add_figures(struct drawing *drawing, struct why *why)
{
    int code = 0;
    for (uint32_t m = 0; m < drawing->picture->metric_count; m++)
        drawing->stats[m] = (struct stats){ NAN, NAN, NAN, NAN };
    for (enum figure figure = FIGURE_MEAN; code == 0 && figure <= FIGURE_GREATEST; figure++)
        code = add_figure(drawing, figure, why);
    return code;
}

/* ---- the axis --------------------------------------------------------------------------------------------------- */

/* The finite ends of a threshold. */
static int threshold_ends(const char *text, double out[2])
{
    struct range range;
    int count = 0;
    if (!text || range_parse(text, &range, NULL) != 0)
        return 0;
    if (isfinite(range.start) && range.start != 0)
        out[count++] = range.start;
    if (isfinite(range.end))
        out[count++] = range.end;
    return count;
}

/* A threshold near the values is worth a place on the axis. */
static void include_threshold(struct drawing *drawing, const char *text)
{
    double ends[2];
    int count = threshold_ends(text, ends);
    for (int i = 0; i < count; i++)
        if (ends[i] > drawing->high && ends[i] <= 2 * drawing->high)
            drawing->high = ends[i];
}

static void set_axis(struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    double low = 0, high = 0;
    for (uint32_t m = 0; m < picture->metric_count; m++) {
        const struct stats *stats = &drawing->stats[m];
        drawing->any = drawing->any || isfinite(stats->last);
        low = fmin(low, fmin(stats->least, stats->mean));
        high = fmax(high, fmax(stats->greatest, stats->mean));
    }
    drawing->low = low;
    drawing->high = high;
    if (picture->metric_count == 1) {
        include_threshold(drawing, picture->metrics[0]->warn);
        include_threshold(drawing, picture->metrics[0]->crit);
    }
    drawing->scale = scale_choose(picture->unit, fmax(drawing->high, -drawing->low));
    if (drawing->high <= drawing->low)
        drawing->high = drawing->low + drawing->scale.size;
    double margin = 0.06 * (drawing->high - drawing->low);
    bool whole = strcmp(picture->unit, "%") == 0 && drawing->high > 70 && drawing->high <= 100;
    drawing->high = whole ? 100 : drawing->high + margin;
    if (drawing->low < 0)
        drawing->low -= margin;
}

/* ---- what librrd is told ---------------------------------------------------------------------------------------- */

static const char *number(struct drawing *drawing, double value)
{
    return args_number(drawing->arena, value);
}

static void add_frame(struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    const struct theme *theme = drawing->theme;
    struct args *args = &drawing->args;
    args_add(args, "graph");
    args_add(args, "-");
    args_add(args, "--imgformat=%s", picture->svg ? "SVG" : "PNG");
    args_add(args, "--start=%lld", (long long)picture->since_s);
    args_add(args, "--end=%lld", (long long)picture->until_s);
    args_add(args, "--full-size-mode");
    args_add(args, "--width=%d", picture->width);
    args_add(args, "--height=%d", picture->height);
    args_add(args, "--lower-limit=%s", number(drawing, drawing->low / drawing->scale.size));
    args_add(args, "--upper-limit=%s", number(drawing, drawing->high / drawing->scale.size));
    args_add(args, "--rigid");
    args_add(args, "--units-exponent=0");
    args_add(args, "--slope-mode");
    args_add(args, "--border=0");
    args_add(args, "--disable-rrdtool-tag");
    args_add(args, "--dynamic-labels");
    args_add(args, "--grid-dash=1:0");
    args_add(args, "--font=DEFAULT:8:DejaVu Sans");
    args_add(args, "--font=TITLE:11:DejaVu Sans");
    args_add(args, "--font=LEGEND:8:DejaVu Sans Mono");
    args_add(args, "--color=BACK%s", theme->back);
    args_add(args, "--color=CANVAS%s", theme->back);
    args_add(args, "--color=GRID%s", theme->grid);
    args_add(args, "--color=MGRID%s", theme->main_grid);
    args_add(args, "--color=FONT%s", theme->font);
    args_add(args, "--color=AXIS%s", theme->axis);
    args_add(args, "--color=FRAME#00000000");
    args_add(args, "--color=ARROW#00000000");
    args_plain(args, "--title=", picture->title);
    if (drawing->scale.unit[0])
        args_plain(args, "--vertical-label=", drawing->scale.unit);
}

/* Variables vM, lM, hM: mean, least and greatest of metric M in shown units. */
static void add_variables(struct drawing *drawing, uint32_t m)
{
    static const char names[] = { 'v', 'l', 'h' };
    const char *source = drawing->picture->metrics[m]->source;
    for (int i = 0; i < 3; i++) {
        args_add(&drawing->args, "DEF:%cr%u=%s:%s:%s", names[i], m, drawing->picture->file, source,
                 figure_functions[i]);
        args_add(&drawing->args, "CDEF:%c%u=%cr%u,%s,/", names[i], m, names[i], m,
                 number(drawing, drawing->scale.size));
    }
}

/* Cut or filled up to width characters. */
static void pad(char *out, size_t size, const char *text, int width)
{
    size_t n = 0;
    int shown = 0;
    for (const char *c = text; *c && n + 1 < size; c++) {
        bool starts = ((unsigned char)*c & 0xC0) != 0x80;
        if (starts && shown == width)
            break;
        shown += starts;
        out[n++] = *c;
    }
    for (; shown < width && n + 1 < size; shown++)
        out[n++] = ' ';
    out[n] = '\0';
}

static int name_width(const struct picture *picture)
{
    int widest = 0;
    for (uint32_t m = 0; m < picture->metric_count; m++) {
        int width = 0;
        for (const char *c = picture->metrics[m]->name; *c; c++)
            width += ((unsigned char)*c & 0xC0) != 0x80;
        widest = width > widest ? width : widest;
    }
    return widest > NAME_COLUMN ? NAME_COLUMN : widest;
}

static void add_columns(struct drawing *drawing, const char *const columns[4], const char *end)
{
    char line[4 * NAME_BYTES] = "", cell[NAME_BYTES];
    for (int i = 0; i < 4; i++) {
        pad(cell, sizeof(cell), columns[i], VALUE_COLUMN);
        text_copy(line + strlen(line), sizeof(line) - strlen(line), cell);
    }
    args_escaped(&drawing->args, "COMMENT:", line);
    args_append(&drawing->args, end);
}

static void add_heading(struct drawing *drawing)
{
    static const char *const columns[] = { "last", "min", "average", "max" };
    char name[NAME_BYTES];
    pad(name, sizeof(name), "", name_width(drawing->picture) + 2);
    args_escaped(&drawing->args, "COMMENT:", name);
    add_columns(drawing, columns, "\\l");
}

static void add_figures_line(struct drawing *drawing, uint32_t m)
{
    const struct stats *stats = &drawing->stats[m];
    const double values[] = { stats->last, stats->least, stats->mean, stats->greatest };
    char texts[4][TEXT_VALUE_SIZE];
    const char *columns[4];
    for (int i = 0; i < 4; i++) {
        columns[i] = "-";
        if (isfinite(values[i]))
            columns[i] = text_format_value(texts[i], values[i], drawing->picture->unit);
    }
    add_columns(drawing, columns, "\\l");
}

static void add_metric(struct drawing *drawing, uint32_t m)
{
    const char *colour = drawing->theme->colours[m];
    char name[NAME_BYTES];
    struct args *args = &drawing->args;
    add_variables(drawing, m);
    if (drawing->picture->metric_count == 1) {
        args_add(args, "AREA:v%u%s20", m, colour);
        args_add(args, "CDEF:s%u=h%u,l%u,-", m, m, m);
        args_add(args, "LINE0:l%u%s00", m, colour);
        args_add(args, "AREA:s%u%s48::STACK", m, colour);
    }
    pad(name, sizeof(name), drawing->picture->metrics[m]->name, name_width(drawing->picture));
    args_escaped(args, arena_print(drawing->arena, "LINE1.4:v%u%s:", m, colour), name);
    add_figures_line(drawing, m);
}

/* librrd forgets a rule outside of the axis together with its words: then only the words are written. */
static void add_threshold(struct drawing *drawing, const char *word, const char *text, const char *colour)
{
    double ends[2];
    int count = threshold_ends(text, ends);
    struct args *args = &drawing->args;
    for (int i = 0; i < count; i++) {
        char value[TEXT_VALUE_SIZE];
        text_format_value(value, ends[i], drawing->picture->unit);
        bool visible = ends[i] >= drawing->low && ends[i] <= drawing->high;
        const char *place =
            arena_print(drawing->arena, "HRULE:%s%s:", number(drawing, ends[i] / drawing->scale.size), colour);
        args_escaped(args, visible ? place : "COMMENT:  ", arena_print(drawing->arena, "%s %s   ", word, value));
        if (visible)
            args_append(args, ":dashes=4,3");
    }
}

static void compose(struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    add_frame(drawing);
    add_heading(drawing);
    for (uint32_t m = 0; m < picture->metric_count; m++)
        add_metric(drawing, m);
    if (picture->metric_count == 1) {
        add_threshold(drawing, "warning", picture->metrics[0]->warn, drawing->theme->warning);
        add_threshold(drawing, "critical", picture->metrics[0]->crit, drawing->theme->critical);
        args_add(&drawing->args, "COMMENT:\\l");
    }
    if (!drawing->any)
        args_add(&drawing->args, "COMMENT:no values were recorded in this time\\c");
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

static void add_xml(struct buf *out, const char *text)
{
    char visible[1024];
    static const char *const entities[] = { ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;" };
    for (const char *c = text_visible(visible, sizeof(visible), text, false); *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < sizeof(entities) / sizeof(*entities) && entities[byte])
            buf_text(out, entities[byte]);
        else
            buf_char(out, *c);
    }
}

static void add_description(const struct drawing *drawing, struct buf *out)
{
    buf_text(out, "\n<title>");
    add_xml(out, drawing->picture->title);
    buf_text(out, "</title>\n<desc>");
    for (uint32_t m = 0; m < drawing->picture->metric_count; m++) {
        const struct stats *stats = &drawing->stats[m];
        const double values[] = { stats->last, stats->least, stats->mean, stats->greatest };
        static const char *const words[] = { "last", "min", "average", "max" };
        buf_text(out, m ? "; " : "");
        add_xml(out, drawing->picture->metrics[m]->name);
        for (int i = 0; i < 4; i++) {
            char value[TEXT_VALUE_SIZE];
            buf_print(out, "%s %s ", i ? "," : ":", words[i]);
            add_xml(out, isfinite(values[i]) ? text_format_value(value, values[i], drawing->picture->unit) : "-");
        }
    }
    buf_text(out, "</desc>\n");
}

/* Copies librrd's picture; into an SVG goes the description behind the <svg> tag. */
static void copy(const struct drawing *drawing, const rrd_blob_t *image, struct buf *out)
{
    const char *bytes = (const char *)image->ptr, *tag = NULL;
    if (drawing->picture->svg)
        tag = memmem(bytes, image->size, "<svg", 4);
    const char *end = tag ? memchr(tag, '>', (size_t)(bytes + image->size - tag)) : NULL;
    size_t head = end ? (size_t)(end + 1 - bytes) : 0;
    buf_add(out, bytes, head);
    if (end)
        add_description(drawing, out);
    buf_add(out, bytes + head, image->size - head);
}

static int draw(const struct drawing *drawing, struct buf *out, struct why *why)
{
    const rrd_info_t *image = NULL;
    rrd_clear_error();
    rrd_info_t *info = rrd_graph_v(drawing->args.count, (char **)drawing->args.v);
    for (const rrd_info_t *i = info; i && !image; i = i->next)
        if (strcmp(i->key, "image") == 0 && i->type == RD_I_BLO)
            image = i;
    if (image)
        copy(drawing, &image->value.u_blo, out);
    else
        why_say(why, ERROR_DAMAGED, "librrd can't draw it: %s", rrd_test_error() ? rrd_get_error() : "no reason given");
    rrd_info_free(info);
    return image && !out->overflowed ? 0 : ERROR_DAMAGED;
}

int picture_draw(struct arena *arena, const struct picture *picture, struct buf *out, struct why *why)
{
    struct drawing drawing = {
        .picture = picture, .theme = picture->dark ? &dark : &light, .arena = arena, .args = { .arena = arena }
    };
    int code = add_figures(&drawing, why);
    if (code < 0)
        return code;
    set_axis(&drawing);
    compose(&drawing);
    return draw(&drawing, out, why);
}
