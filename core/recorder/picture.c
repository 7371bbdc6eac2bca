/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picture - one graph.
 *
 * The values are read first (figures.c): the axis gets a readable unit and bounds, the legend its figures. Then librrd
 * draws what sketch.c tells it:
 *   one line       the mean over an area, the span from least to greatest as a band
 *   several lines  in colours that are told apart by the colour-blind too (after Okabe and Ito)
 *   a stack        areas of these colours
 *   a limit        long dashes in the colour of the text
 *   an earlier time  thin dashes
 *   percentiles    dotted rules
 *   a baseline     the median of each hour in fine dashes, 5 to 95 % as a grey band; of one line only
 * Thresholds that all lines have in common are drawn, too: a dashed rule each, and behind the curves the region where a
 * value is WARNING or CRITICAL in the state's colour. Of more lines than there are colours those with the greatest
 * means are drawn, and the others counted.
 * Times without a value are gaps. What happened meanwhile is drawn over it by decor.c. An SVG, whose text librrd turns
 * into outlines, gets <title> and <desc> elements, so that it can be searched and read aloud. */
#include "core/recorder/picture.h"

#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/range.h"
#include "core/recorder/decor.h"
#include "core/recorder/drawing.h"

#define LEGEND_LINES 3 /* that a picture has room for without growing */
#define LEGEND_LINE_PIXELS 14
#define KEY_OVERLAP 50     /* the heading's last column is not full */
#define LIMIT_FACTOR 20    /* a limit farther away than this is only told */
#define HEADROOM 0.06      /* of the axis, above the curves */
#define MARK_HEADROOM 0.09 /* where labels stand */

static const struct theme light = { .back = "#FFFFFF",
                                    .grid = "#1F232814",
                                    .main_grid = "#1F232828",
                                    .font = "#1F2328",
                                    .axis = "#6E7781",
                                    .states = { [BELFRY_OK] = "#2E9E6B",
                                                [BELFRY_WARNING] = "#BF8700",
                                                [BELFRY_CRITICAL] = "#CF222E",
                                                [BELFRY_UNKNOWN] = "#8250DF" },
                                    .note = "#57606A",
                                    .band = "16",
                                    .usual = "38",
                                    .colours = { "#0072B2", "#D55E00", "#009E73", "#B5548B", "#E69F00", "#56B4E9",
                                                 "#6B5B2E", "#555555" } };
static const struct theme dark = { .back = "#161B22",
                                   .grid = "#FFFFFF12",
                                   .main_grid = "#FFFFFF26",
                                   .font = "#D8DEE6",
                                   .axis = "#7D8792",
                                   .states = { [BELFRY_OK] = "#2CC59B",
                                               [BELFRY_WARNING] = "#E3B341",
                                               [BELFRY_CRITICAL] = "#FF6B62",
                                               [BELFRY_UNKNOWN] = "#B392F0" },
                                   .note = "#A8B3BF",
                                   .band = "20",
                                   .usual = "48",
                                   .colours = { "#56B4E9", "#FF8A4C", "#2CC59B", "#E58CC0", "#F0C23B", "#8AA4FF",
                                                "#C9B37A", "#B4BCC6" } };

bool drawing_is_stack(const struct drawing *drawing)
{
    return drawing->picture->stack && drawing->line_count > 1;
}

bool drawing_has_strip(const struct drawing *drawing)
{
    const struct history *history = drawing->picture->history;
    return history && history->state_count > 0 && !drawing->picture->thumb;
}

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

/* What the figures do not tell: sums, percentiles, and when there was the last value before some time. */
static int read_points(struct drawing *drawing, const struct figures_source *sources, struct why *why)
{
    const struct figures_sources all = { sources, drawing->line_count };
    bool stack = drawing_is_stack(drawing);
    double percentile = drawing->picture->percentile;
    int code = 0;
    for (uint32_t m = 0; code == 0 && percentile > 0 && !stack && m < drawing->line_count; m++) {
        const struct figures_sources one = { &sources[m], 1 };
        code = figures_read_points(drawing->arena, &drawing->span, &one, &drawing->points, why);
        drawing->percentiles[m] = figures_percentile(drawing->arena, &drawing->points, percentile);
    }
    if (code == 0 && (stack || drawing->picture->history))
        code = figures_read_points(drawing->arena, &drawing->span, &all, &drawing->points, why);
    if (code == 0 && stack && percentile > 0)
        drawing->percentiles[0] = figures_percentile(drawing->arena, &drawing->points, percentile);
    if (code == 0 && stack)
        drawing->high = fmax(0, figures_of(&drawing->points).greatest);
    return code;
}

/* The lines of the earlier time, or in a stack their sum, must have room too. */
static int read_earlier(struct drawing *drawing, const struct figures_source *sources, struct why *why)
{
    const int64_t back_s = drawing->picture->compare_s;
    const struct figures_span span = { drawing->span.since_s - back_s, drawing->span.until_s - back_s,
                                       drawing->span.step_s };
    uint32_t at_once = drawing_is_stack(drawing) ? drawing->line_count : 1;
    int code = 0;
    for (uint32_t m = 0; code == 0 && m < drawing->line_count; m += at_once) {
        const struct figures_sources some = { &sources[m], at_once };
        struct figures_points points;
        code = figures_read_points(drawing->arena, &span, &some, &points, why);
        drawing->before = figures_of(&points);
        drawing->high = fmax(drawing->high, drawing->before.greatest);
    }
    return code;
}

static int read_usual(struct drawing *drawing, struct why *why)
{
    const struct picture_line *line = &drawing->lines[0];
    const struct usual_source source = { line->from, line->metric, line->rare, drawing->picture->baseline };
    if (drawing->line_count != 1 || drawing->picture->thumb)
        return 0;
    return usual_read(drawing->arena, &drawing->span, &source, &drawing->usual, why);
}

static int read_figures(struct drawing *drawing, struct why *why)
{
    struct figures_source sources[PICTURE_LINES_MAX + 1];
    for (uint32_t m = 0; m < drawing->drawn_count; m++)
        sources[m] = drawing->lines[m].from;
    for (uint32_t m = 0; m < PICTURE_LINES_MAX; m++)
        drawing->percentiles[m] = NAN;
    int code = figures_read(&drawing->span, sources, drawing->drawn_count, drawing->figures, why);
    if (code == 0)
        code = read_points(drawing, sources, why);
    if (code == 0)
        code = read_usual(drawing, why);
    if (code == 0 && drawing->picture->compare_s)
        code = read_earlier(drawing, sources, why);
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
    if (drawing->line_count == 0 || drawing_is_stack(drawing))
        return NULL;
    for (uint32_t m = 1; m < drawing->line_count; m++)
        if (!same_text(first->warn, drawing->lines[m].warn) || !same_text(first->crit, drawing->lines[m].crit))
            return NULL;
    return first;
}

/* ---- the axis --------------------------------------------------------------------------------------------------- */

/* A threshold near the values is worth a place on the axis. */
static void include_threshold(struct drawing *drawing, const char *text)
{
    double ends[2];
    int count = sketch_threshold_ends(text, ends);
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
    const struct picture_line *common = drawing->common;
    double least, greatest, low = 0, high = drawing->high; /* of a stack, of the earlier time */
    for (uint32_t m = 0; m < drawing->line_count; m++) {
        const struct figures *figures = &drawing->figures[m];
        drawing->any = drawing->any || isfinite(figures->last);
        low = fmin(low, fmin(figures->least, figures->mean));
        high = fmax(high, picture->stack ? figures->mean : fmax(figures->greatest, figures->mean));
    }
    usual_extent(&drawing->usual, &least, &greatest);
    drawing->low = fmin(low, least);
    drawing->high = fmax(high, greatest);
    include_limit(drawing);
    if (common) {
        include_threshold(drawing, common->warn);
        include_threshold(drawing, common->crit);
    }
    drawing->scale = scale_choose(picture->unit, fmax(drawing->high, -drawing->low));
    if (drawing->high <= drawing->low)
        drawing->high = drawing->low + drawing->scale.size;
    bool whole = strcmp(picture->unit, "%") == 0 && drawing->high > 70 && drawing->high <= 100.5;
    double margin = HEADROOM * (drawing->high - drawing->low);
    drawing->high = whole ? 100 : drawing->high + margin;
    if (decor_has_marks(drawing))
        drawing->high += MARK_HEADROOM * (drawing->high - drawing->low);
    if (drawing->low < 0)
        drawing->low -= margin;
}

/* A long legend must not eat up the picture. */
static void set_height(struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    const struct picture_line *common = drawing->common;
    int lines = (int)drawing->drawn_count + (common && (common->warn || common->crit)) + (drawing->left_out > 0);
    lines += (picture->compare_s > 0) + (picture->percentile > 0 && drawing_is_stack(drawing));
    lines += drawing_has_strip(drawing) + (drawing->usual.count > 0);
    drawing->height = picture->height;
    if (picture->grows && lines > LEGEND_LINES)
        drawing->height += (lines - LEGEND_LINES) * LEGEND_LINE_PIXELS;
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

static void add_percentile(const struct drawing *drawing, double percentile, struct buf *out)
{
    char rank[TEXT_NUMBER_SIZE], value[TEXT_VALUE_SIZE];
    if (!(drawing->picture->percentile > 0) || !isfinite(percentile))
        return;
    buf_print(out, ", p%s%s ", text_format_number(rank, drawing->picture->percentile),
              drawing_is_stack(drawing) ? " of the sum" : "");
    picture_xml(out, text_format_value(value, percentile, drawing->picture->unit));
}

static void add_description(const struct drawing *drawing, struct buf *out)
{
    buf_text(out, "<title>");
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
        add_percentile(drawing, drawing->percentiles[m], out);
    }
    if (drawing->usual.count > 0) {
        char words[BASELINE_WORDS_SIZE];
        buf_text(out, "; ");
        picture_xml(out, sketch_usual_words(drawing, words));
    }
    decor_describe(drawing, out);
    buf_text(out, "</desc>\n");
}

void picture_head(struct buf *out, int width, int height)
{
    buf_print(out,
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
              "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%dpt\" height=\"%dpt\" "
              "viewBox=\"0 0 %d %d\" version=\"1.1\">\n",
              width, height, width, height);
}

/* librrd's SVG below a head of ours: wider, so that the last label of the time, which librrd lets run over the edge, is
 * seen as a whole; and with a description. */
static void copy_svg(const struct drawing *drawing, const char *bytes, size_t size, struct buf *out)
{
    const char *tag = memmem(bytes, size, "<svg", 4);
    const char *end = tag ? memchr(tag, '>', (size_t)(bytes + size - tag)) : NULL;
    if (!end)
        return;
    picture_head(out, drawing->picture->width, drawing->height);
    add_description(drawing, out);
    if (!drawing->picture->thumb)
        buf_print(out, "<rect width=\"%d\" height=\"%d\" fill=\"%s\"/>", drawing->picture->width, drawing->height,
                  drawing->theme->back);
    buf_add(out, end + 1, (size_t)(bytes + size - end - 1));
}

static void copy(const struct drawing *drawing, const rrd_blob_t *image, struct buf *out)
{
    if (drawing->picture->svg)
        copy_svg(drawing, (const char *)image->ptr, image->size, out);
    else
        buf_add(out, image->ptr, image->size);
}

/* Where librrd has put the plot and the first lines of the legend: "16,265,51,279". */
static struct decor_place read_place(const struct drawing *drawing, const rrd_info_t *info)
{
    struct decor_place place = { 0 };
    double left, top, right, bottom;
    const struct {
        const char *key;
        double *out;
    } counts[] = { { "graph_left", &place.left },
                   { "graph_top", &place.top },
                   { "graph_width", &place.width },
                   { "graph_height", &place.height } };
    for (const rrd_info_t *i = info; i; i = i->next) {
        for (size_t k = 0; k < 4; k++)
            if (strcmp(i->key, counts[k].key) == 0 && i->type == RD_I_CNT)
                *counts[k].out = (double)i->value.u_cnt;
        if (strncmp(i->key, "coords[", 7) != 0 || i->type != RD_I_STR ||
            sscanf(i->value.u_str, "%lf,%lf,%lf,%lf", &left, &top, &right, &bottom) != 4)
            continue;
        if (strcmp(i->key, "coords[0]") == 0 && drawing_has_strip(drawing))
            place.strip_y = top;
        if (strcmp(i->key, "coords[2]") == 0) { /* behind the strip's place and the column of names */
            place.key_x = right - KEY_OVERLAP;
            place.key_y = bottom - 3;
        }
    }
    return place;
}

static int draw(const struct drawing *drawing, struct buf *out, struct why *why)
{
    const rrd_info_t *image = NULL;
    int code = 0;
    rrd_clear_error();
    rrd_info_t *info = rrd_graph_v(drawing->args.count, (char **)drawing->args.v);
    for (const rrd_info_t *i = info; i && !image; i = i->next)
        if (strcmp(i->key, "image") == 0 && i->type == RD_I_BLO)
            image = i;
    if (image)
        copy(drawing, &image->value.u_blo, out);
    else
        why_say(why, ERROR_DAMAGED, "librrd can't draw it: %s", rrd_test_error() ? rrd_get_error() : "no reason given");
    const struct decor_place place = read_place(drawing, info);
    rrd_info_free(info);
    if (!image || out->overflowed)
        return ERROR_DAMAGED;
    if (decor_is_wanted(drawing) && place.width > 0)
        code = decor_draw(drawing, &place, out, why);
    return code;
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
    drawing.common = picture->thumb ? NULL : common_thresholds(&drawing);
    set_axis(&drawing);
    set_height(&drawing);
    sketch_compose(&drawing);
    *height = drawing.height;
    return draw(&drawing, out, why);
}
