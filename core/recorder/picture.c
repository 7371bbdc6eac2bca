/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picture - one graph.
 *
 * The values are read first (figures.c): the axis gets a readable unit and bounds, the legend its figures in the words
 * of text_format_value(), which all of Belfry uses. Then librrd draws:
 *   one line       the mean over an area, the span from least to greatest as a band, thresholds dashed
 *   several lines  in colours that are told apart by the colour-blind too (after Okabe and Ito)
 *   a stack        areas of these colours
 *   a limit        long dashes in the colour of the text
 * Thresholds that all lines have in common are drawn, too. Of more lines than there are colours those with the greatest
 * means are drawn, and the others counted.
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

#define NAME_COLUMN 32 /* characters of a line's label in the legend */
#define NAME_COLUMN_NARROW 24
#define NARROW_PIXELS 600
#define VALUE_COLUMN 12
#define NAME_BYTES 160
#define LEGEND_LINES 3 /* that a picture has room for without growing */
#define LEGEND_LINE_PIXELS 14
#define LIMIT_FACTOR 20 /* a limit farther away than this is only told */

struct theme {
    const char *back, *grid, *main_grid, *font, *axis, *warning, *critical;
    const char *colours[PICTURE_LINES_MAX];
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

struct drawing {
    const struct picture *picture;
    const struct theme *theme;
    struct arena *arena;
    struct args args;
    struct picture_line lines[PICTURE_LINES_MAX + 1]; /* with the limit as the last */
    struct figures figures[PICTURE_LINES_MAX + 1];
    uint32_t line_count, drawn_count; /* without and with the limit */
    uint32_t left_out;                /* that had values, but no colour */
    struct figures_span span;
    struct scale scale;
    double low, high; /* of the axis, in the metric's unit */
    int height;
    bool any; /* a value at all */
};

/* ---- the lines -------------------------------------------------------------------------------------------------- */

static void take_lines(struct drawing *drawing, const struct figures *means)
{
    const struct picture *picture = drawing->picture;
    bool *chosen = arena_array(drawing->arena, picture->line_count, sizeof(*chosen));
    for (uint32_t i = 0; i < picture->line_count; i++)
        chosen[i] = !picture->of_parts || isfinite(means[i].mean);
    drawing->left_out = figures_keep_greatest(means, chosen, picture->line_count, PICTURE_LINES_MAX);
    for (uint32_t i = 0; i < picture->line_count; i++)
        if (chosen[i])
            drawing->lines[drawing->line_count++] = picture->lines[i];
    if (drawing->line_count == 0) /* an empty picture, but of something */
        drawing->lines[drawing->line_count++] = picture->lines[0];
}

/* Which lines are drawn, and the limit behind them. */
static int choose_lines(struct drawing *drawing, struct why *why)
{
    const struct picture *picture = drawing->picture;
    uint32_t count = picture->line_count;
    struct figures *means = arena_array(drawing->arena, count, sizeof(*means));
    struct figures_source *sources = arena_array(drawing->arena, count, sizeof(*sources));
    int code = 0;
    for (uint32_t i = 0; i < count; i++)
        sources[i] = picture->lines[i].from;
    if (picture->of_parts || count > PICTURE_LINES_MAX)
        code = figures_read_means(&drawing->span, sources, count, means, why);
    if (code < 0)
        return code;
    take_lines(drawing, means);
    drawing->drawn_count = drawing->line_count;
    if (picture->limit)
        drawing->lines[drawing->drawn_count++] = *picture->limit;
    return 0;
}

static int read_figures(struct drawing *drawing, struct why *why)
{
    struct figures_source sources[PICTURE_LINES_MAX + 1];
    for (uint32_t m = 0; m < drawing->drawn_count; m++)
        sources[m] = drawing->lines[m].from;
    int code = figures_read(&drawing->span, sources, drawing->drawn_count, drawing->figures, why);
    if (code == 0 && drawing->picture->stack)
        code = figures_read_total(&drawing->span, sources, drawing->line_count, &drawing->high, why);
    return code;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The line whose thresholds hold for all that are drawn, or NULL. */
static const struct picture_line *common_thresholds(const struct drawing *drawing)
{
    const struct picture_line *first = &drawing->lines[0];
    if (drawing->line_count == 0 || (drawing->picture->stack && drawing->line_count > 1))
        return NULL;
    for (uint32_t m = 1; m < drawing->line_count; m++)
        if (!same_text(first->warn, drawing->lines[m].warn) || !same_text(first->crit, drawing->lines[m].crit))
            return NULL;
    return first;
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

/* The limit is the point of its picture, unless the values would become a line at the bottom. */
static void include_limit(struct drawing *drawing)
{
    double greatest = drawing->picture->limit ? drawing->figures[drawing->line_count].greatest : NAN;
    if (greatest > drawing->high && (drawing->high <= 0 || greatest <= LIMIT_FACTOR * drawing->high))
        drawing->high = greatest;
}

static void set_axis(struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    const struct picture_line *common = common_thresholds(drawing);
    double low = 0, high = drawing->high; /* of a stack */
    for (uint32_t m = 0; m < drawing->line_count; m++) {
        const struct figures *figures = &drawing->figures[m];
        drawing->any = drawing->any || isfinite(figures->last);
        low = fmin(low, fmin(figures->least, figures->mean));
        high = fmax(high, picture->stack ? figures->mean : fmax(figures->greatest, figures->mean));
    }
    drawing->low = low;
    drawing->high = high;
    include_limit(drawing);
    if (common) {
        include_threshold(drawing, common->warn);
        include_threshold(drawing, common->crit);
    }
    drawing->scale = scale_choose(picture->unit, fmax(drawing->high, -drawing->low));
    if (drawing->high <= drawing->low)
        drawing->high = drawing->low + drawing->scale.size;
    double margin = 0.06 * (drawing->high - drawing->low);
    bool whole = strcmp(picture->unit, "%") == 0 && drawing->high > 70 && drawing->high <= 100.5;
    drawing->high = whole ? 100 : drawing->high + margin;
    if (drawing->low < 0)
        drawing->low -= margin;
}

/* A long legend must not eat up the picture. */
static void set_height(struct drawing *drawing)
{
    const struct picture_line *common = common_thresholds(drawing);
    int lines = (int)drawing->drawn_count + (common && (common->warn || common->crit)) + (drawing->left_out > 0);
    drawing->height = drawing->picture->height;
    if (drawing->picture->grows && lines > LEGEND_LINES)
        drawing->height += (lines - LEGEND_LINES) * LEGEND_LINE_PIXELS;
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
    args_add(args, "--height=%d", drawing->height);
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
    /* always, so that the axes of a page stand below each other */
    args_plain(args, "--vertical-label=", drawing->scale.unit[0] ? drawing->scale.unit : " ");
}

static void add_variable(struct drawing *drawing, char name, uint32_t m, const char *function)
{
    const struct figures_source *from = &drawing->lines[m].from;
    args_add(&drawing->args, "DEF:%cr%u=%s:%s:%s", name, m, from->file, from->source, function);
    args_add(&drawing->args, "CDEF:%c%u=%cr%u,%s,/", name, m, name, m, number(drawing, drawing->scale.size));
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

static int name_width(const struct drawing *drawing)
{
    int widest = 0, most = drawing->picture->width < NARROW_PIXELS ? NAME_COLUMN_NARROW : NAME_COLUMN;
    for (uint32_t m = 0; m < drawing->drawn_count; m++) {
        int width = 0;
        for (const char *c = drawing->lines[m].label; *c; c++)
            width += ((unsigned char)*c & 0xC0) != 0x80;
        widest = width > widest ? width : widest;
    }
    return widest > most ? most : widest;
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
    pad(name, sizeof(name), "", name_width(drawing) + 2);
    args_escaped(&drawing->args, "COMMENT:", name);
    add_columns(drawing, columns, "\\l");
}

static void add_figures_line(struct drawing *drawing, uint32_t m)
{
    const struct figures *figures = &drawing->figures[m];
    const double values[] = { figures->last, figures->least, figures->mean, figures->greatest };
    char texts[4][TEXT_VALUE_SIZE];
    const char *columns[4];
    for (int i = 0; i < 4; i++) {
        columns[i] = "-";
        if (isfinite(values[i]))
            columns[i] = text_format_value(texts[i], values[i], drawing->picture->unit);
    }
    add_columns(drawing, columns, "\\l");
}

/* How a line begins: "AREA:v2#0072B2C0:", to be followed by its label. */
static const char *line_head(struct drawing *drawing, uint32_t m)
{
    if (m == drawing->line_count)
        return arena_print(drawing->arena, "LINE1.6:v%u%s:", m, drawing->theme->font);
    const char *colour = drawing->theme->colours[m];
    return arena_print(drawing->arena, drawing->picture->stack ? "AREA:v%u%sC0:" : "LINE1.4:v%u%s:", m, colour);
}

/* Variables vM, lM, hM: mean, least and greatest of line M in shown units. */
static void add_line(struct drawing *drawing, uint32_t m)
{
    char name[NAME_BYTES];
    struct args *args = &drawing->args;
    bool limit = m == drawing->line_count;
    add_variable(drawing, 'v', m, "AVERAGE");
    if (drawing->line_count == 1 && !limit) {
        const char *colour = drawing->theme->colours[m];
        add_variable(drawing, 'l', m, "MIN");
        add_variable(drawing, 'h', m, "MAX");
        args_add(args, "AREA:v%u%s20", m, colour);
        args_add(args, "CDEF:s%u=h%u,l%u,-", m, m, m);
        args_add(args, "LINE0:l%u%s00", m, colour);
        args_add(args, "AREA:s%u%s48::STACK", m, colour);
    }
    pad(name, sizeof(name), drawing->lines[m].label, name_width(drawing));
    args_escaped(args, line_head(drawing, m), name);
    if (limit)
        args_append(args, ":dashes=8,4");
    else if (drawing->picture->stack && m > 0)
        args_append(args, ":STACK");
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
    const struct picture_line *common = common_thresholds(drawing);
    add_frame(drawing);
    add_heading(drawing);
    for (uint32_t m = 0; m < drawing->drawn_count; m++)
        add_line(drawing, m);
    if (drawing->left_out > 0)
        args_add(&drawing->args, "COMMENT:  and %u more of lower means\\l", drawing->left_out);
    if (common) {
        add_threshold(drawing, "warning", common->warn, drawing->theme->warning);
        add_threshold(drawing, "critical", common->crit, drawing->theme->critical);
        args_add(&drawing->args, "COMMENT:\\l");
    }
    if (!drawing->any)
        args_add(&drawing->args, "COMMENT:no values were recorded in this time\\c");
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

void picture_xml(struct buf *out, const char *text)
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
    picture_xml(out, drawing->picture->title);
    buf_text(out, "</title>\n<desc>");
    for (uint32_t m = 0; m < drawing->drawn_count; m++) {
        const struct figures *figures = &drawing->figures[m];
        const double values[] = { figures->last, figures->least, figures->mean, figures->greatest };
        static const char *const words[] = { "last", "min", "average", "max" };
        buf_text(out, m ? "; " : "");
        picture_xml(out, drawing->lines[m].label);
        for (int i = 0; i < 4; i++) {
            char value[TEXT_VALUE_SIZE];
            buf_print(out, "%s %s ", i ? "," : ":", words[i]);
            picture_xml(out, isfinite(values[i]) ? text_format_value(value, values[i], drawing->picture->unit) : "-");
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

const char *picture_background(bool is_dark)
{
    return is_dark ? dark.back : light.back;
}

int picture_draw(struct arena *arena, const struct picture *picture, struct buf *out, int *height, struct why *why)
{
    int64_t length_s = picture->until_s - picture->since_s;
    struct drawing drawing = {
        .picture = picture,
        .theme = picture->dark ? &dark : &light,
        .arena = arena,
        .args = { .arena = arena },
        .span = { picture->since_s, picture->until_s, (uint64_t)(length_s / picture->width + 1) },
    };
    int code = choose_lines(&drawing, why);
    if (code == 0)
        code = read_figures(&drawing, why);
    if (code < 0)
        return code;
    set_axis(&drawing);
    set_height(&drawing);
    compose(&drawing);
    *height = drawing.height;
    return draw(&drawing, out, why);
}
