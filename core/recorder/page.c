/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page - gathers lines and puts those of one unit into one picture.
 *
 * The metrics of one file make at most PICTURE_LINES_MAX lines a picture, more go into a second one. Parts may be
 * thousands: all are lines of one picture, which draws the greatest of them. */
#include "core/recorder/page.h"

#include <string.h>

#include "core/model/baseline.h"

/* A line to be: a metric of a file. */
struct pick {
    const struct shelf_file *file;
    const struct legend_metric *metric;
    int place; /* in a view */
};

struct picks {
    struct arena *arena;
    struct pick *items;
    uint32_t count, size;
};

/* What the pictures made of some picks have in common. */
struct frame {
    const char *title;
    const struct picture_line *limit;
    bool stack, of_parts; /* of_parts: lines are called by their parts */
};

static void add_pick(struct picks *picks, const struct shelf_file *file, const struct legend_metric *metric, int place)
{
    if (picks->count == picks->size) {
        struct pick *old = picks->items;
        picks->size = picks->size ? 2 * picks->size : 16;
        picks->items = arena_array(picks->arena, picks->size, sizeof(*picks->items));
        if (old)
            memcpy(picks->items, old, picks->count * sizeof(*old));
    }
    uint32_t at = picks->count++;
    /* within a file by place */
    for (; at > 0 && picks->items[at - 1].file == file && picks->items[at - 1].place > place; at--)
        picks->items[at] = picks->items[at - 1];
    picks->items[at] = (struct pick){ file, metric, place };
}

static const struct legend_metric *find_metric(const struct shelf_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->legend.metric_count; i++)
        if (strcmp(file->legend.metrics[i].name, name) == 0)
            return &file->legend.metrics[i];
    return NULL;
}

/* ---- pictures --------------------------------------------------------------------------------------------------- */

static bool have_one_name(const struct picks *picks)
{
    for (uint32_t i = 1; i < picks->count; i++)
        if (strcmp(picks->items[i].metric->name, picks->items[0].metric->name) != 0)
            return false;
    return true;
}

static void set_line(struct picture_line *line, const struct pick *pick, const char *label)
{
    *line = (struct picture_line){ .from = { pick->file->name, pick->metric->source },
                                   .label = label,
                                   .warn = pick->metric->warn,
                                   .crit = pick->metric->crit,
                                   .metric = pick->metric->name,
                                   .rare = pick->file->legend.step_s > BASELINE_RARE_S };
}

/* A picture for lines of the unit, with room for as many as there may be; NULL when the page is full. */
static struct picture *add_picture(struct arena *arena, struct page *page, const struct frame *frame, const char *unit,
                                   uint32_t most)
{
    if (page->count == PAGE_PICTURES_MAX) {
        page->left_out++;
        return NULL;
    }
    struct picture *picture = &page->pictures[page->count++];
    *picture = (struct picture){ .title = frame->title,
                                 .unit = arena_text(arena, unit),
                                 .lines = arena_array(arena, most, sizeof(*picture->lines)),
                                 .of_parts = frame->of_parts,
                                 .limit = frame->limit,
                                 .stack = frame->stack };
    return picture;
}

/* The picture from `first` on that is of the unit and has room. */
static struct picture *find_picture(const struct page *page, uint32_t first, const char *unit)
{
    for (uint32_t i = first; i < page->count; i++) {
        struct picture *picture = &page->pictures[i];
        if (strcmp(picture->unit, unit) == 0 && (picture->of_parts || picture->line_count < PICTURE_LINES_MAX))
            return picture;
    }
    return NULL;
}

/* The metric, the part, or both; and when the check has it no longer, that. */
static const char *make_label(struct arena *arena, const struct pick *pick, const struct frame *frame, bool one_name)
{
    const char *label = pick->metric->name, *part = frame->of_parts ? pick->file->legend.part : NULL;
    const char *gone = !pick->metric->live ? " (retired)" : pick->file->legend.gone_s ? " (gone)" : "";
    if (part)
        label = one_name ? part : arena_print(arena, "%s %s", part, label);
    return *gone ? arena_print(arena, "%s%s", label, gone) : label;
}

static void add_pictures(struct page *page, const struct picks *picks, const struct frame *frame)
{
    uint32_t first = page->count;
    bool one_name = have_one_name(picks);
    for (uint32_t i = 0; i < picks->count; i++) {
        const struct pick *pick = &picks->items[i];
        char unit[PLUGIN_UNIT_SIZE];
        plugin_recorded_unit(unit, pick->metric->unit, pick->metric->kind);
        struct picture *picture = find_picture(page, first, unit);
        if (!picture)
            picture = add_picture(picks->arena, page, frame, unit, frame->of_parts ? picks->count : PICTURE_LINES_MAX);
        if (!picture)
            continue;
        set_line(&picture->lines[picture->line_count++], pick, make_label(picks->arena, pick, frame, one_name));
    }
}

/* ---- titles ----------------------------------------------------------------------------------------------------- */

/* "redis/server  Memory: used of limit"; of a part's own page with the part. */
static const char *make_title(struct arena *arena, const struct shelf *shelf, const char *check, const char *what)
{
    const char *part = shelf->count == 1 ? shelf->files[0].legend.part : NULL;
    return arena_print(arena, "%s%s%s%s%s", check, part ? "  " : "", part ? part : "", what ? "  " : "",
                       what ? what : "");
}

/* ---- views ------------------------------------------------------------------------------------------------------ */

bool page_view_has(const struct plugin_view *view, const char *metric)
{
    bool limit = view->limit && strcmp(view->limit, metric) == 0;
    return !limit && plugin_view_place(view, metric) >= 0;
}

static void pick_view(struct picks *picks, const struct shelf *shelf, const struct plugin_view *view)
{
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct shelf_file *file = &shelf->files[i];
        for (uint32_t m = 0; m < file->legend.metric_count; m++) {
            const struct legend_metric *metric = &file->legend.metrics[m];
            if (page_view_has(view, metric->name) && (file->legend.part != NULL) == view->parts &&
                shelf_has(file, metric))
                add_pick(picks, file, metric, plugin_view_place(view, metric->name));
        }
    }
}

/* The limit: of the check as a whole; or of the only part that is drawn. */
static const struct picture_line *find_limit(struct arena *arena, const struct shelf *shelf,
                                             const struct plugin_view *view, const struct picks *picks)
{
    const struct shelf_file *file = &shelf->files[0];
    for (uint32_t i = 0; view->parts && i < picks->count; i++)
        if (picks->items[i].file != picks->items[0].file)
            return NULL;
    if (view->parts)
        file = picks->items[0].file;
    const struct legend_metric *metric = view->limit ? find_metric(file, view->limit) : NULL;
    if (!metric || !shelf_has(file, metric))
        return NULL;
    struct picture_line *line = arena_alloc(arena, sizeof(*line));
    set_line(line, &(struct pick){ .file = file, .metric = metric }, metric->name);
    return line;
}

static void add_view(struct arena *arena, const struct shelf *shelf, const char *check, const struct plugin_view *view,
                     struct page *page)
{
    struct picks picks = { .arena = arena };
    pick_view(&picks, shelf, view);
    if (picks.count == 0)
        return;
    const struct frame frame = { .title = make_title(arena, shelf, check, view->title),
                                 .limit = find_limit(arena, shelf, view, &picks),
                                 .stack = view->style == BELFRY_STACK,
                                 .of_parts = view->parts && shelf->count > 1 };
    add_pictures(page, &picks, &frame);
}

/* ---- metrics ---------------------------------------------------------------------------------------------------- */

/* All of the first file: the check's, or the only part's. */
static void add_first_file(struct arena *arena, const struct shelf *shelf, const char *check, struct page *page)
{
    struct picks picks = { .arena = arena };
    const struct shelf_file *file = &shelf->files[0];
    if (shelf->count > 1 && file->legend.part)
        return;
    for (uint32_t m = 0; m < file->legend.metric_count; m++)
        if (shelf_has(file, &file->legend.metrics[m]))
            add_pick(&picks, file, &file->legend.metrics[m], 0);
    const struct frame frame = { .title = make_title(arena, shelf, check, NULL) };
    add_pictures(page, &picks, &frame);
}

/* A picture of the metric with a line for each part. */
static void add_parts(struct arena *arena, const struct shelf *shelf, const char *check, const char *name,
                      struct page *page)
{
    struct picks picks = { .arena = arena };
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct shelf_file *file = &shelf->files[i];
        const struct legend_metric *metric = file->legend.part ? find_metric(file, name) : NULL;
        if (metric && shelf_has(file, metric))
            add_pick(&picks, file, metric, 0);
    }
    const struct frame frame = { .title = make_title(arena, shelf, check, name), .of_parts = true };
    add_pictures(page, &picks, &frame);
}

/* Whether a part before this one has the metric. */
static bool was_seen(const struct shelf *shelf, uint32_t before, const char *name)
{
    for (uint32_t i = 0; i < before; i++) {
        const struct legend_metric *metric = shelf->files[i].legend.part ? find_metric(&shelf->files[i], name) : NULL;
        if (metric && shelf_has(&shelf->files[i], metric))
            return true;
    }
    return false;
}

static void add_all_parts(struct arena *arena, const struct shelf *shelf, const char *check, struct page *page)
{
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct shelf_file *file = &shelf->files[i];
        for (uint32_t m = 0; file->legend.part && m < file->legend.metric_count; m++) {
            const struct legend_metric *metric = &file->legend.metrics[m];
            if (shelf_has(file, metric) && !was_seen(shelf, i, metric->name))
                add_parts(arena, shelf, check, metric->name, page);
        }
    }
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

static void start(struct arena *arena, struct page *out)
{
    *out = (struct page){ .pictures = arena_array(arena, PAGE_PICTURES_MAX, sizeof(*out->pictures)) };
}

void page_of_all(struct arena *arena, const struct shelf *shelf, const char *check, struct page *out)
{
    start(arena, out);
    for (uint32_t i = 0; i < shelf->view_count; i++)
        add_view(arena, shelf, check, &shelf->views[i], out);
    if (out->count > 0 || shelf->count == 0)
        return;
    add_first_file(arena, shelf, check, out);
    if (shelf->count > 1)
        add_all_parts(arena, shelf, check, out);
}

void page_of_view(struct arena *arena, const struct shelf *shelf, const char *check, const struct plugin_view *view,
                  struct page *out)
{
    start(arena, out);
    add_view(arena, shelf, check, view, out);
}

void page_of_metric(struct arena *arena, const struct shelf *shelf, const char *check, const char *metric,
                    struct page *out)
{
    const char *unknown;
    start(arena, out);
    bool alone = shelf->count > 0 && (shelf->count == 1 || !shelf->files[0].legend.part);
    if (!alone || !page_of_metrics(arena, shelf, check, &metric, 1, out, &unknown))
        add_parts(arena, shelf, check, metric, out);
}

bool page_of_metrics(struct arena *arena, const struct shelf *shelf, const char *check, const char *const *names,
                     uint32_t count, struct page *out, const char **unknown)
{
    struct picks picks = { .arena = arena };
    const struct shelf_file *file = &shelf->files[0];
    start(arena, out);
    for (uint32_t i = 0; i < count; i++) {
        const struct legend_metric *metric = find_metric(file, names[i]);
        *unknown = names[i];
        if (!metric || file->trouble || !header_find(&file->header, metric->source))
            return false;
        add_pick(&picks, file, metric, 0);
    }
    const struct frame frame = { .title = make_title(arena, shelf, check, count == 1 ? names[0] : NULL) };
    add_pictures(out, &picks, &frame);
    return true;
}

const struct plugin_view *page_find_view(const struct shelf *shelf, const char *name)
{
    for (uint32_t i = 0; i < shelf->view_count; i++)
        if (strcmp(shelf->views[i].name, name) == 0)
            return &shelf->views[i];
    return NULL;
}
