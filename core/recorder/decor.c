/* SPDX-License-Identifier: GPL-3.0-or-later */
/* decor - states, blind times and marks in pixels.
 *
 * The strip is a row of cells, a pixel each: of several states in one the worst is shown, so that a short outage is
 * seen in a graph of a year. Its height tells the state as its colour does; a soft state is paler. Labels of marks do
 * not overlap: bad ones are placed first, and one that finds no room is left out (its line stays, and the words to
 * hover over). */
#include "core/recorder/decor.h"

#include <math.h>
#include <string.h>

#include "core/base/text.h"
#include "core/recorder/ink.h"

#define STRIP_PIXELS 9.0
#define LABEL_PIXELS 9.0 /* from the top of the plot to the base line of labels */
#define LABEL_GAP 5.0    /* between two */
#define LABEL_SPACE 3.0  /* between it and its line */
#define CROWD 40         /* more marks than this are ticks at the top */
#define TICK_PIXELS 7.0
#define SOFT_OPACITY 0.5
#define TIP_SIZE 512

/* By enum belfry_state: how high the strip is, in ninths. */
static const double heights[] = {
    [BELFRY_OK] = 4, [BELFRY_WARNING] = 6.5, [BELFRY_CRITICAL] = 9, [BELFRY_UNKNOWN] = 6.5
};

/* The order of the key. */
static const enum belfry_state ordered[] = { BELFRY_OK, BELFRY_WARNING, BELFRY_CRITICAL, BELFRY_UNKNOWN };

struct cell {
    bool known, soft;
    enum belfry_state state;
};

struct decor {
    const struct drawing *drawing;
    const struct picture *picture;
    const struct history *history;
    const struct decor_place *place;
    struct ink ink;
    double hatched_x; /* the end of the last blind time */
};

static double find_x(const struct decor *decor, int64_t at_s)
{
    const struct picture *picture = decor->picture;
    double part = (double)(at_s - picture->since_s) / (double)(picture->until_s - picture->since_s);
    return decor->place->left + fmin(fmax(part, 0), 1) * decor->place->width;
}

static bool is_inside(const struct picture *picture, int64_t at_s)
{
    return at_s >= picture->since_s && at_s <= picture->until_s;
}

static const char *time_text(const struct decor *decor, int64_t at_s)
{
    char local[TEXT_TIME_SIZE];
    return arena_text(decor->drawing->arena, text_format_local(local, at_s * 1000));
}

/* ---- blind times ------------------------------------------------------------------------------------------------ */

/* The part of it that lies in the picture; false: none. */
static bool settle_blind(const struct drawing *drawing, const struct history_blind *blind, int64_t *from_s,
                         int64_t *until_s)
{
    const struct picture *picture = drawing->picture;
    *from_s = blind->from_s;
    *until_s = blind->until_s < picture->until_s ? blind->until_s : picture->until_s;
    if (blind->unsure) {
        int64_t last_s = figures_last_before(&drawing->points, blind->until_s);
        *from_s = last_s > *from_s ? last_s : *from_s;
        if (*until_s - *from_s <= (int64_t)(3 * drawing->points.step_s)) /* it may be only the usual wait */
            return false;
    }
    if (*from_s < picture->since_s)
        *from_s = picture->since_s;
    return *until_s > *from_s;
}

/* Across, or upwards when it is too narrow for that. */
static void name_blind(struct decor *decor, const struct ink_box *box, const char *text)
{
    const char *colour = decor->drawing->theme->font;
    double length = ink_measure(&decor->ink, text), x = box->x + box->width / 2, y = box->y + box->height / 2;
    if (box->width >= length + 2)
        ink_text(&decor->ink, &(struct ink_words){ x - length / 2, y, colour, text, false });
    else if (box->width >= LABEL_PIXELS + 2 && box->height >= length + 4 * LABEL_PIXELS)
        ink_text(&decor->ink, &(struct ink_words){ x + LABEL_SPACE, y + length / 2, colour, text, true });
}

static void draw_blind(struct decor *decor, const struct history_blind *blind)
{
    const struct decor_place *place = decor->place;
    const struct theme *theme = decor->drawing->theme;
    int64_t from_s, until_s;
    if (!settle_blind(decor->drawing, blind, &from_s, &until_s))
        return;
    double x = find_x(decor, from_s), width = fmax(find_x(decor, until_s) - x, 1);
    if (x + width < decor->hatched_x + 1) /* within the pixel before */
        return;
    decor->hatched_x = x + width;
    const char *tip = arena_print(decor->drawing->arena, "%s, %s to %s", blind->text, time_text(decor, from_s),
                                  time_text(decor, until_s));
    ink_hatch(&decor->ink, &(struct ink_box){ x, place->top, width, place->height }, theme->axis, tip);
    name_blind(decor, &(struct ink_box){ x, place->top, width, place->height }, blind->text);
}

/* ---- marks ------------------------------------------------------------------------------------------------------ */

static const char *mark_colour(const struct theme *theme, enum history_kind kind)
{
    const char *const colours[HISTORY_KIND_COUNT] = { [HISTORY_NOTE] = theme->note,
                                                      [HISTORY_GOOD] = theme->states[BELFRY_OK],
                                                      [HISTORY_BAD] = theme->states[BELFRY_CRITICAL] };
    return colours[kind];
}

bool decor_has_marks(const struct drawing *drawing)
{
    const struct history *history = drawing->picture->history;
    for (uint32_t i = 0; history && !drawing->picture->thumb && i < history->mark_count; i++)
        if (is_inside(drawing->picture, history->marks[i].at_s))
            return true;
    return false;
}

/* Where labels stand already. */
struct labels {
    struct ink_box boxes[CROWD];
    uint32_t count;
};

static bool has_room(const struct labels *labels, const struct ink_box *box)
{
    for (uint32_t i = 0; i < labels->count; i++)
        if (box->x < labels->boxes[i].x + labels->boxes[i].width && labels->boxes[i].x < box->x + box->width)
            return false;
    return true;
}

/* Beside its line: to the right, or to the left when there is no room; false: nowhere. */
static bool place_label(const struct decor *decor, const struct labels *labels, double x, double width,
                        struct ink_box *out)
{
    double end = decor->place->left + decor->place->width;
    *out = (struct ink_box){ x + LABEL_SPACE, 0, width, 0 };
    if (x + width <= end && has_room(labels, out))
        return true;
    out->x = x - width - LABEL_SPACE;
    return out->x >= decor->place->left && has_room(labels, out);
}

static void draw_labels(struct decor *decor, enum history_kind kind, struct labels *labels)
{
    const struct history *history = decor->history;
    for (uint32_t i = 0; i < history->mark_count && labels->count < CROWD; i++) {
        const struct history_mark *mark = &history->marks[i];
        struct ink_box box;
        double x = find_x(decor, mark->at_s), width = ink_measure(&decor->ink, mark->label) + LABEL_GAP;
        if (mark->kind != kind || !is_inside(decor->picture, mark->at_s) || !place_label(decor, labels, x, width, &box))
            continue;
        labels->boxes[labels->count++] = box;
        ink_text(&decor->ink,
                 &(struct ink_words){ box.x < x ? box.x + LABEL_GAP : box.x, decor->place->top + LABEL_PIXELS,
                                      mark_colour(decor->drawing->theme, kind), mark->label, false });
    }
}

static void draw_mark(struct decor *decor, const struct history_mark *mark, bool crowded)
{
    const struct decor_place *place = decor->place;
    char tip[TIP_SIZE];
    bool tick = crowded && mark->kind != HISTORY_BAD;
    text_copy(tip, sizeof(tip),
              arena_print(decor->drawing->arena, "%s  %s%s%s", time_text(decor, mark->at_s), mark->label,
                          *mark->text ? ": " : "", mark->text));
    ink_rule(&decor->ink,
             &(struct ink_box){ find_x(decor, mark->at_s), place->top, 0, tick ? TICK_PIXELS : place->height },
             mark_colour(decor->drawing->theme, mark->kind), tip);
}

/* Of marks at one pixel the first of each kind is drawn. */
static void draw_marks(struct decor *decor)
{
    static const enum history_kind order[] = { HISTORY_BAD, HISTORY_GOOD, HISTORY_NOTE };
    const struct history *history = decor->history;
    struct labels labels = { .count = 0 };
    long last[HISTORY_KIND_COUNT] = { -1, -1, -1 };
    uint32_t inside = 0;
    for (uint32_t i = 0; i < history->mark_count; i++)
        inside += is_inside(decor->picture, history->marks[i].at_s);
    for (uint32_t i = 0; i < history->mark_count; i++) {
        const struct history_mark *mark = &history->marks[i];
        long pixel = lround(find_x(decor, mark->at_s));
        if (!is_inside(decor->picture, mark->at_s) || last[mark->kind] == pixel)
            continue;
        last[mark->kind] = pixel;
        draw_mark(decor, mark, inside > CROWD);
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
        draw_labels(decor, order[i], &labels);
}

/* ---- states ----------------------------------------------------------------------------------------------------- */

/* From when to when state i holds in the picture; false: it does not. */
static bool state_span(const struct picture *picture, uint32_t i, int64_t *from_s, int64_t *until_s)
{
    const struct history *history = picture->history;
    const struct history_state *state = &history->states[i];
    *from_s = state->at_s > picture->since_s ? state->at_s : picture->since_s;
    *until_s = i + 1 < history->state_count ? history->states[i + 1].at_s : picture->until_s;
    *until_s = *until_s < picture->until_s ? *until_s : picture->until_s;
    return !state->none && *until_s > *from_s;
}

static bool is_worse(const struct cell *cell, const struct history_state *state)
{
    if (!cell->known || state_rank(state->state) != state_rank(cell->state))
        return !cell->known || state_rank(state->state) > state_rank(cell->state);
    return cell->soft && !state->soft;
}

static void fill_cells(const struct decor *decor, struct cell *cells, uint32_t count)
{
    for (uint32_t i = 0; i < decor->history->state_count; i++) {
        const struct history_state *state = &decor->history->states[i];
        int64_t from_s, until_s;
        if (!state_span(decor->picture, i, &from_s, &until_s))
            continue;
        uint32_t first = (uint32_t)(find_x(decor, from_s) - decor->place->left);
        double end = find_x(decor, until_s) - decor->place->left;
        for (uint32_t x = first; x < count && ((double)x < end || x == first); x++)
            if (is_worse(&cells[x], state))
                cells[x] = (struct cell){ true, state->soft, state->state };
    }
}

/* What nobody looked at had no state that is known. */
static void clear_blind(const struct decor *decor, struct cell *cells, uint32_t count)
{
    for (uint32_t i = 0; i < decor->history->blind_count; i++) {
        const struct history_blind *blind = &decor->history->blind[i];
        int64_t from_s, until_s;
        if (blind->rests || !settle_blind(decor->drawing, blind, &from_s, &until_s))
            continue;
        uint32_t x = (uint32_t)(find_x(decor, from_s) - decor->place->left);
        for (double end = find_x(decor, until_s) - decor->place->left; x < count && (double)x + 1 < end; x++)
            cells[x] = (struct cell){ 0 };
    }
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->known == b->known && a->soft == b->soft && a->state == b->state;
}

static void draw_run(struct decor *decor, const struct cell *cell, uint32_t from, uint32_t until)
{
    const struct picture *picture = decor->picture;
    const struct theme *theme = decor->drawing->theme;
    double height = cell->known ? heights[cell->state] / 9 * STRIP_PIXELS : 1;
    double seconds = (double)(picture->until_s - picture->since_s) / decor->place->width;
    const char *name = cell->known ? state_name(cell->state) : "no state";
    const char *tip = arena_print(decor->drawing->arena, "%s%s, %s to %s", name, cell->soft ? " (soft)" : "",
                                  time_text(decor, picture->since_s + (int64_t)(seconds * from)),
                                  time_text(decor, picture->since_s + (int64_t)(seconds * until)));
    const struct ink_box box = { decor->place->left + from, decor->place->strip_y + STRIP_PIXELS - height, until - from,
                                 height };
    ink_fill(&decor->ink, &box, cell->known ? theme->states[cell->state] : theme->axis, cell->soft ? SOFT_OPACITY : 1,
             tip);
}

static void draw_strip(struct decor *decor)
{
    const struct decor_place *place = decor->place;
    uint32_t count = (uint32_t)place->width, from = 0;
    struct cell *cells = arena_array(decor->drawing->arena, count + 1, sizeof(*cells));
    fill_cells(decor, cells, count);
    clear_blind(decor, cells, count);
    for (uint32_t x = 1; x <= count; x++) {
        if (x < count && same_cell(&cells[x], &cells[from]))
            continue;
        draw_run(decor, &cells[from], from, x);
        from = x;
    }
    double width = ink_measure(&decor->ink, "state");
    ink_text(&decor->ink, &(struct ink_words){ place->left - width - LABEL_GAP, place->strip_y + STRIP_PIXELS - 1,
                                               decor->drawing->theme->font, "state", false });
}

/* ---- shares ----------------------------------------------------------------------------------------------------- */

/* Seconds by state. */
static void add_up(const struct picture *picture, double seconds[4])
{
    memset(seconds, 0, 4 * sizeof(*seconds));
    for (uint32_t i = 0; picture->history && i < picture->history->state_count; i++) {
        int64_t from_s, until_s;
        if (state_span(picture, i, &from_s, &until_s))
            seconds[picture->history->states[i].state] += (double)(until_s - from_s);
    }
}

/* "OK 97.1 %"; NULL when there was none of it. */
static const char *share_text(const struct drawing *drawing, const double seconds[4], enum belfry_state state)
{
    double sum = seconds[0] + seconds[1] + seconds[2] + seconds[3];
    double percent = sum > 0 ? 100 * seconds[state] / sum : 0;
    char text[TEXT_NUMBER_SIZE];
    if (!(percent > 0))
        return NULL;
    if (percent < 0.1)
        return arena_print(drawing->arena, "%s <0.1 %%", state_name(state));
    double rounded = percent > 99.9 && percent < 100 ? 99.9 : round(10 * percent) / 10;
    return arena_print(drawing->arena, "%s %s %%", state_name(state), text_format_number(text, rounded));
}

/* To the right of the legend's heading, when there is room. */
static void draw_key(struct decor *decor)
{
    const char *texts[4];
    double seconds[4], width = 0;
    const struct theme *theme = decor->drawing->theme;
    add_up(decor->picture, seconds);
    for (size_t i = 0; i < 4; i++) {
        texts[i] = share_text(decor->drawing, seconds, ordered[i]);
        width += texts[i] ? ink_measure(&decor->ink, texts[i]) + 20 : 0;
    }
    double x = decor->place->left + decor->place->width - width;
    if (x < decor->place->key_x)
        return;
    for (size_t i = 0; i < 4; i++) {
        if (!texts[i])
            continue;
        double height = heights[ordered[i]] / 9 * STRIP_PIXELS;
        ink_fill(&decor->ink, &(struct ink_box){ x + 8, decor->place->key_y - height, 8, height },
                 theme->states[ordered[i]], 1, NULL);
        ink_text(&decor->ink, &(struct ink_words){ x + 20, decor->place->key_y, theme->font, texts[i], false });
        x += ink_measure(&decor->ink, texts[i]) + 20;
    }
}

void decor_describe(const struct drawing *drawing, struct buf *out)
{
    double seconds[4];
    const char *before = "; state: ";
    add_up(drawing->picture, seconds);
    for (size_t i = 0; i < 4; i++) {
        const char *text = share_text(drawing, seconds, ordered[i]);
        if (!text)
            continue;
        buf_text(out, before);
        picture_xml(out, text);
        before = ", ";
    }
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

bool decor_is_wanted(const struct drawing *drawing)
{
    const struct history *history = drawing->picture->history;
    return history && !drawing->picture->thumb &&
           (history->blind_count || decor_has_marks(drawing) || drawing_has_strip(drawing));
}

static void draw_all(struct decor *decor)
{
    for (uint32_t i = 0; i < decor->history->blind_count; i++)
        draw_blind(decor, &decor->history->blind[i]);
    draw_marks(decor);
    if (decor->place->strip_y > 0) {
        draw_strip(decor);
        draw_key(decor);
    }
}

/* Behind the last element of the SVG. */
static int draw_on_svg(struct decor *decor, struct buf *image)
{
    static const char end[] = "</svg>";
    struct buf elements = { 0 };
    while (image->length > 0 && image->data[image->length - 1] != '>')
        image->length--;
    if (image->length < sizeof(end) || memcmp(image->data + image->length - 6, end, 6) != 0)
        return ERROR_DAMAGED;
    image->length -= sizeof(end) - 1;
    decor->ink.svg = &elements;
    int code = ink_open(&decor->ink, NULL, 0);
    if (code == 0)
        draw_all(decor);
    ink_close(&decor->ink);
    buf_add(image, elements.data, elements.length);
    buf_print(image, "%s\n", end);
    buf_close(&elements);
    return image->overflowed ? ERROR_LIMIT : code;
}

static int draw_on_png(struct decor *decor, struct buf *image)
{
    struct buf out = { 0 };
    int code = ink_open(&decor->ink, image->data, image->length);
    if (code == 0)
        draw_all(decor);
    if (code == 0 && ink_write_png(cairo_get_target(decor->ink.canvas), &out) != CAIRO_STATUS_SUCCESS)
        code = ERROR_DAMAGED;
    ink_close(&decor->ink);
    buf_close(image);
    *image = out;
    return code;
}

int decor_draw(const struct drawing *drawing, const struct decor_place *place, struct buf *image, struct why *why)
{
    const struct picture *picture = drawing->picture;
    struct decor decor = { .drawing = drawing,
                           .picture = picture,
                           .history = picture->history,
                           .place = place,
                           .ink = { .font = picture->fonts.plain, .back = drawing->theme->back } };
    int code = picture->svg ? draw_on_svg(&decor, image) : draw_on_png(&decor, image);
    return code == 0 ? 0 : why_say(why, code, "can't draw over librrd's picture");
}
