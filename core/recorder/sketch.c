/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sketch - what librrd is told of a picture: frame, variables, bands, lines, and the legend, whose figures are in the
 * words of text_format_value().
 *
 * Variables of line M, in shown units: vM mean, lM least, hM greatest, wM the mean of the earlier time; tM is the sum
 * of the stack up to M. The baseline's 5th percentile is ul, us the way from there to the 95th, um the median. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/range.h"
#include "core/recorder/drawing.h"

#define NAME_COLUMN 32 /* characters of a line's label in the legend */
#define NAME_COLUMN_NARROW 24
#define NARROW_PIXELS 600
#define LABEL_MARGIN 20 /* what picture.c makes an SVG wider by */
#define VALUE_COLUMN 12
#define COLUMNS_MAX 5
#define NAME_BYTES 160
#define DAILY_FROM_S (120 * 86400)

static const char *number(struct drawing *drawing, double value)
{
    return args_number(drawing->arena, value);
}

/* The place of a value on the axis. */
static const char *shown(struct drawing *drawing, double value)
{
    return number(drawing, value / drawing->scale.size);
}

/* ---- frame ------------------------------------------------------------------------------------------------------ */

static void add_texts(struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    struct args *args = &drawing->args;
    args_add(args, "--units-exponent=0");
    args_add(args, "--border=0");
    args_add(args, "--disable-rrdtool-tag");
    args_add(args, "--dynamic-labels");
    args_add(args, "--grid-dash=1:0");
    args_add(args, "--font=DEFAULT:8:%s", picture->fonts.plain);
    args_add(args, "--font=TITLE:11:%s", picture->fonts.plain);
    args_add(args, "--font=LEGEND:8:%s", picture->fonts.mono);
    args_plain(args, "--title=", picture->title);
    /* always, so that the axes of a page stand below each other */
    args_plain(args, "--vertical-label=", drawing->scale.unit[0] ? drawing->scale.unit : " ");
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
    args_add(args, picture->thumb ? "--only-graph" : "--full-size-mode");
    args_add(args, "--width=%d", picture->width - (picture->svg && !picture->thumb ? LABEL_MARGIN : 0));
    args_add(args, "--height=%d", drawing->height);
    args_add(args, "--lower-limit=%s", shown(drawing, drawing->low));
    args_add(args, "--upper-limit=%s", shown(drawing, drawing->high));
    args_add(args, "--rigid");
    args_add(args, "--slope-mode");
    args_add(args, "--color=BACK%s", theme->back);
    args_add(args, "--color=CANVAS%s", theme->back);
    args_add(args, "--color=GRID%s", picture->thumb ? "#00000000" : theme->grid);
    args_add(args, "--color=MGRID%s", picture->thumb ? "#00000000" : theme->main_grid);
    args_add(args, "--color=FONT%s", theme->font);
    args_add(args, "--color=AXIS%s", theme->axis);
    args_add(args, "--color=FRAME#00000000");
    args_add(args, "--color=ARROW#00000000");
    if (!picture->thumb)
        add_texts(drawing);
}

/* ---- variables -------------------------------------------------------------------------------------------------- */

/* A day a point, when day and night would be nothing but a comb. */
static void add_step(struct drawing *drawing)
{
    if (drawing->picture->until_s - drawing->picture->since_s > DAILY_FROM_S)
        args_append(&drawing->args, ":step=86400");
}

static void add_variable(struct drawing *drawing, char name, uint32_t m, const char *function)
{
    const struct figures_source *from = &drawing->lines[m].from;
    args_add(&drawing->args, "DEF:%cr%u=%s:%s:%s", name, m, from->file, from->source, function);
    add_step(drawing);
    args_add(&drawing->args, "CDEF:%c%u=%cr%u,%s,/", name, m, name, m, number(drawing, drawing->scale.size));
}

/* What was so much earlier, moved to where it is drawn. */
static void add_earlier(struct drawing *drawing, uint32_t m)
{
    const struct picture *picture = drawing->picture;
    const struct figures_source *from = &drawing->lines[m].from;
    struct args *args = &drawing->args;
    args_add(args, "DEF:wr%u=%s:%s:AVERAGE:start=%lld:end=%lld", m, from->file, from->source,
             (long long)(picture->since_s - picture->compare_s), (long long)(picture->until_s - picture->compare_s));
    add_step(drawing);
    args_add(args, "SHIFT:wr%u:%lld", m, (long long)picture->compare_s);
    args_add(args, "CDEF:w%u=wr%u,%s,/", m, m, number(drawing, drawing->scale.size));
    if (drawing_is_stack(drawing) && m > 0)
        args_add(args, "CDEF:t%u=%c%u,w%u,ADDNAN", m, m == 1 ? 'w' : 't', m - 1, m);
}

static void add_variables(struct drawing *drawing)
{
    for (uint32_t m = 0; m < drawing->drawn_count; m++)
        add_variable(drawing, 'v', m, "AVERAGE");
    if (drawing->line_count == 1) {
        add_variable(drawing, 'l', 0, "MIN");
        add_variable(drawing, 'h', 0, "MAX");
        args_add(&drawing->args, "CDEF:s0=h0,l0,-");
    }
    for (uint32_t m = 0; drawing->picture->compare_s && m < drawing->line_count; m++)
        add_earlier(drawing, m);
}

/* ---- legend ----------------------------------------------------------------------------------------------------- */

/* Cut or filled up to width characters. */
static void pad(char *out, size_t size, const char *text, int width)
{
    size_t n = 0;
    int count = 0;
    for (const char *c = text; *c && n + 1 < size; c++) {
        bool starts = ((unsigned char)*c & 0xC0) != 0x80;
        if (starts && count == width)
            break;
        count += starts;
        out[n++] = *c;
    }
    for (; count < width && n + 1 < size; count++)
        out[n++] = ' ';
    out[n] = '\0';
}

/* "7 d before" */
static const char *earlier_text(struct drawing *drawing)
{
    char age[TEXT_DURATION_SIZE];
    text_format_age(age, drawing->picture->compare_s * 1000);
    return arena_print(drawing->arena, "%s before", age);
}

static int measure(const char *text)
{
    int width = 0;
    for (const char *c = text; *c; c++)
        width += ((unsigned char)*c & 0xC0) != 0x80;
    return width;
}

static int name_width(struct drawing *drawing)
{
    int most = drawing->picture->width < NARROW_PIXELS ? NAME_COLUMN_NARROW : NAME_COLUMN;
    int widest = drawing->picture->compare_s ? measure(earlier_text(drawing)) : 0;
    for (uint32_t m = 0; m < drawing->drawn_count; m++) {
        int width = measure(drawing->lines[m].label);
        widest = width > widest ? width : widest;
    }
    return widest > most ? most : widest;
}

/* columns: NULL-terminated. */
static void add_columns(struct drawing *drawing, const char *const columns[], const char *end)
{
    char line[(COLUMNS_MAX + 1) * NAME_BYTES] = "", cell[NAME_BYTES];
    for (int i = 0; i < COLUMNS_MAX && columns[i]; i++) {
        pad(cell, sizeof(cell), columns[i], VALUE_COLUMN);
        text_copy(line + strlen(line), sizeof(line) - strlen(line), cell);
    }
    args_escaped(&drawing->args, "COMMENT:", line);
    args_append(&drawing->args, end);
}

static bool has_percentile_column(const struct drawing *drawing)
{
    return drawing->picture->percentile > 0 && !drawing_is_stack(drawing);
}

/* "p95" */
static const char *percentile_text(struct drawing *drawing)
{
    char text[TEXT_NUMBER_SIZE];
    return arena_print(drawing->arena, "p%s", text_format_number(text, drawing->picture->percentile));
}

static void add_heading(struct drawing *drawing)
{
    const char *columns[] = { "last", "min", "average", "max", NULL, NULL };
    char name[NAME_BYTES];
    if (has_percentile_column(drawing))
        columns[4] = percentile_text(drawing);
    if (drawing_has_strip(drawing)) /* its place */
        args_add(&drawing->args, "COMMENT: \\l");
    pad(name, sizeof(name), "", name_width(drawing) + 2);
    args_escaped(&drawing->args, "COMMENT:", name);
    add_columns(drawing, columns, "\\l");
}

static void add_figures(struct drawing *drawing, const struct figures *figures, double percentile)
{
    const double values[] = { figures->last, figures->least, figures->mean, figures->greatest, percentile };
    char texts[COLUMNS_MAX][TEXT_VALUE_SIZE];
    const char *columns[COLUMNS_MAX + 1] = { NULL };
    for (int i = 0; i < 4 + has_percentile_column(drawing); i++) {
        columns[i] = "-";
        if (isfinite(values[i]))
            columns[i] = text_format_value(texts[i], values[i], drawing->picture->unit);
    }
    add_columns(drawing, columns, "\\l");
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

/* A rule without words; outside of the axis librrd draws none. */
static void add_rule(struct drawing *drawing, double value, const char *colour)
{
    if (isfinite(value))
        args_add(&drawing->args, "HRULE:%s%s::dashes=1,3", shown(drawing, value), colour);
}

static void add_bands(struct drawing *drawing)
{
    const struct picture_line *common = drawing->common;
    struct args *args = &drawing->args;
    struct band bands[BANDS_MAX];
    uint32_t count = common ? bands_find(common->warn, common->crit, drawing->low, drawing->high, bands) : 0;
    for (uint32_t i = 0; i < count; i++) {
        args_add(args, "CDEF:bl%u=%s,v0,POP", i, shown(drawing, bands[i].from));
        args_add(args, "CDEF:bs%u=%s,v0,POP", i, shown(drawing, bands[i].to - bands[i].from));
        args_add(args, "LINE0:bl%u#00000000", i);
        args_add(args, "AREA:bs%u%s%s::STACK", i, drawing->theme->states[bands[i].state], drawing->theme->band);
    }
}

/* ---- the usual -------------------------------------------------------------------------------------------------- */

/* A figure, or with `minus` the way from that one to it, as a variable: in each hour the number that stands there. */
static void add_usual(struct drawing *drawing, const char *name, enum figure figure, const enum figure *minus)
{
    const struct usual *usual = &drawing->usual;
    struct buf text = { 0 };
    buf_print(&text, "CDEF:%s=v0,POP", name);
    for (uint32_t i = 0; i < usual->count; i++) {
        const struct baseline *baseline = &usual->hours[i].baseline;
        double value = baseline->figures[figure] - (minus ? baseline->figures[*minus] : 0);
        buf_print(&text, ",TIME,%lld,LE,%s", (long long)usual->hours[i].until_s,
                  baseline_tells(baseline) ? shown(drawing, value) : "UNKN");
    }
    buf_text(&text, ",UNKN");
    for (uint32_t i = 0; i < usual->count; i++)
        buf_text(&text, ",IF");
    args_take(&drawing->args, arena_text_n(drawing->arena, text.data, text.length));
    buf_close(&text);
}

static void add_usual_band(struct drawing *drawing)
{
    static const enum figure low = FIGURE_P5;
    if (drawing->usual.count == 0)
        return;
    add_usual(drawing, "ul", FIGURE_P5, NULL);
    add_usual(drawing, "us", FIGURE_P95, &low);
    add_usual(drawing, "um", FIGURE_MEDIAN, NULL);
    args_add(&drawing->args, "LINE0:ul#00000000");
    args_add(&drawing->args, "AREA:us%s%s::STACK", drawing->theme->note, drawing->theme->usual);
}

char *sketch_usual_words(const struct drawing *drawing, char out[BASELINE_WORDS_SIZE])
{
    return baseline_words(out, &drawing->usual.hours[drawing->usual.count - 1].baseline, drawing->picture->unit);
}

static void add_usual_median(struct drawing *drawing)
{
    char words[BASELINE_WORDS_SIZE];
    if (drawing->usual.count == 0)
        return;
    args_escaped(&drawing->args, arena_print(drawing->arena, "LINE1.2:um%s:", drawing->theme->font),
                 sketch_usual_words(drawing, words));
    args_append(&drawing->args, "\\l:dashes=2,3");
}

/* How a line begins: "AREA:v2#0072B2C0:", to be followed by its label. */
static const char *line_head(struct drawing *drawing, uint32_t m)
{
    if (m == drawing->line_count)
        return arena_print(drawing->arena, "LINE1.6:v%u%s:", m, drawing->theme->font);
    const char *colour = drawing->theme->colours[m];
    return arena_print(drawing->arena, drawing->picture->stack ? "AREA:v%u%sC0:" : "LINE1.4:v%u%s:", m, colour);
}

/* The mean of the only line over an area, the span from least to greatest as a band. */
static void add_area(struct drawing *drawing)
{
    struct args *args = &drawing->args;
    const char *colour = drawing->theme->colours[0];
    args_add(args, "AREA:v0%s20", colour);
    args_add(args, "LINE0:l0%s00", colour);
    args_add(args, "AREA:s0%s48::STACK", colour);
}

static void add_line(struct drawing *drawing, uint32_t m)
{
    char name[NAME_BYTES];
    struct args *args = &drawing->args;
    bool limit = m == drawing->line_count, is_stacked = drawing->picture->stack && m > 0 && !limit;
    if (drawing->line_count == 1 && !limit)
        add_area(drawing);
    pad(name, sizeof(name), drawing->lines[m].label, name_width(drawing));
    if (drawing->picture->thumb)
        args_add(args, "%s", line_head(drawing, m));
    else
        args_escaped(args, line_head(drawing, m), name);
    if (limit)
        args_append(args, ":dashes=8,4");
    else if (is_stacked)
        args_append(args, ":STACK");
    if (drawing->picture->thumb)
        return;
    double percentile = limit ? NAN : drawing->percentiles[m];
    add_figures(drawing, &drawing->figures[m], percentile);
    if (has_percentile_column(drawing))
        add_rule(drawing, percentile, drawing->theme->colours[m]);
}

/* Thin dashes: of one line, or the sum of a stack, in the colour of the text and with figures; of several lines in
 * their colours. */
static void add_earlier_lines(struct drawing *drawing)
{
    struct args *args = &drawing->args;
    const char *text = earlier_text(drawing);
    char name[NAME_BYTES];
    bool stack = drawing_is_stack(drawing);
    if (drawing->line_count == 1 || stack) {
        pad(name, sizeof(name), text, name_width(drawing));
        args_escaped(args,
                     arena_print(drawing->arena, "LINE1:%c%u%s:", stack ? 't' : 'w', drawing->line_count - 1,
                                 drawing->theme->axis),
                     name);
        args_append(args, ":dashes=4,3");
        add_figures(drawing, &drawing->before, NAN);
        return;
    }
    for (uint32_t m = 0; m < drawing->line_count; m++)
        args_add(args, "LINE1:w%u%sB0::dashes=4,3", m, drawing->theme->colours[m]);
    args_escaped(args, "COMMENT:", arena_print(drawing->arena, "  dashed: %s", text));
    args_append(args, "\\l");
}

/* ---- thresholds ------------------------------------------------------------------------------------------------- */

int sketch_threshold_ends(const char *text, double out[2])
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

/* librrd forgets a rule outside of the axis together with its words: then only the words are written. */
static void add_threshold(struct drawing *drawing, const char *word, const char *text, const char *colour)
{
    double ends[2];
    int count = sketch_threshold_ends(text, ends);
    struct args *args = &drawing->args;
    for (int i = 0; i < count; i++) {
        char value[TEXT_VALUE_SIZE];
        text_format_value(value, ends[i], drawing->picture->unit);
        bool visible = ends[i] >= drawing->low && ends[i] <= drawing->high;
        const char *place = arena_print(drawing->arena, "HRULE:%s%s:", shown(drawing, ends[i]), colour);
        args_escaped(args, visible ? place : "COMMENT:  ", arena_print(drawing->arena, "%s %s   ", word, value));
        if (visible)
            args_append(args, ":dashes=4,3");
    }
}

static void add_thresholds(struct drawing *drawing)
{
    const struct picture_line *common = drawing->common;
    if (!common)
        return;
    add_threshold(drawing, "warning", common->warn, drawing->theme->states[BELFRY_WARNING]);
    add_threshold(drawing, "critical", common->crit, drawing->theme->states[BELFRY_CRITICAL]);
    args_add(&drawing->args, "COMMENT:\\l");
}

/* The percentile of a stack is that of its sum: the size of a line that would have done. */
static void add_sum_percentile(struct drawing *drawing)
{
    char value[TEXT_VALUE_SIZE];
    double percentile = drawing->percentiles[0];
    if (!drawing_is_stack(drawing) || !isfinite(percentile)) /* NaN: not wanted */
        return;
    text_format_value(value, percentile, drawing->picture->unit);
    args_escaped(&drawing->args,
                 arena_print(drawing->arena, "HRULE:%s%s:", shown(drawing, percentile), drawing->theme->font),
                 arena_print(drawing->arena, "%s of the sum %s", percentile_text(drawing), value));
    args_append(&drawing->args, "\\l:dashes=1,3");
}

void sketch_compose(struct drawing *drawing)
{
    bool thumb = drawing->picture->thumb;
    add_frame(drawing);
    add_variables(drawing);
    add_bands(drawing);
    add_usual_band(drawing);
    if (!thumb)
        add_heading(drawing);
    for (uint32_t m = 0; m < drawing->drawn_count; m++)
        add_line(drawing, m);
    if (thumb)
        return;
    if (drawing->left_out > 0)
        args_add(&drawing->args, "COMMENT:  and %u more of lower means\\l", drawing->left_out);
    if (drawing->picture->compare_s)
        add_earlier_lines(drawing);
    add_usual_median(drawing);
    add_sum_percentile(drawing);
    add_thresholds(drawing);
    if (!drawing->any)
        args_add(&drawing->args, "COMMENT:no values were recorded in this time\\c");
}
