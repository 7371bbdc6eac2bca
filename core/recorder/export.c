/* SPDX-License-Identifier: GPL-3.0-or-later */
/* export - the numbers behind a page of pictures, as JSON:
 *
 *     { "check": ID, "function": "average", "since": S, "until": S, "pictures": [
 *       { "title", "unit", "stack", "scale": { "size", "unit" }, "left_out", "lines": [
 *         { "metric", "part", "label", "limit", "last", "min", "average", "max",
 *           "archive": SECONDS, "step": SECONDS, "first": S, "values": [ 0.5, null, ... ] } ] } ] }
 *
 * Times are seconds since 1970. "archive" is the step of the archive that was read, "step" that of the values (a
 * multiple of it); the value i is of the time (first + (i - 1) * step, first + i * step], as `rrdtool fetch` counts.
 * null is an unknown value. last, min, average and max are those of the picture's legend. */
#include "core/recorder/export.h"

#include <math.h>
#include <string.h>

#include "core/recorder/scale.h"

#define LENGTH_MAX_S (1ull << 40)    /* of an archive; a file may claim more */
#define FETCH_VALUES_MAX (32u << 20) /* that are read of one file */

struct exporter {
    const struct export *export;
    const struct shelf *shelf;
    struct buf *out;
    struct why *why;
    struct arena scratch;       /* of one line */
    struct store_values values; /* of the file that was read last */
    const char *file;           /* its name, or NULL */
    uint64_t count;             /* of numbers printed so far */
};

const char *export_function(const char *name)
{
    static const char *const functions[][2] = { { "average", "AVERAGE" }, { "min", "MIN" }, { "max", "MAX" } };
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
        if (strcmp(name, functions[i][0]) == 0)
            return functions[i][1];
    return NULL;
}

/* ---- points ----------------------------------------------------------------------------------------------------- */

struct candidate {
    const struct header_archive *archive;
    uint64_t step_s;
    int64_t from_s; /* nothing in it is older */
    bool reaches, fine;
};

static struct candidate weigh(const struct header *header, const struct header_archive *archive, int64_t since_s,
                              uint64_t step_s)
{
    struct candidate c = { .archive = archive, .step_s = archive->steps * header->step_s };
    uint64_t length_s = c.step_s > LENGTH_MAX_S / archive->rows ? LENGTH_MAX_S : archive->rows * c.step_s;
    c.from_s = header->last_s - header->last_s % (int64_t)c.step_s - (int64_t)length_s;
    c.reaches = c.from_s <= since_s;
    c.fine = c.step_s <= step_s;
    return c;
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (a->reaches != b->reaches)
        return a->reaches;
    if (!a->reaches && a->from_s != b->from_s)
        return a->from_s < b->from_s;
    if (a->fine != b->fine)
        return a->fine;
    return a->fine ? a->step_s > b->step_s : a->step_s < b->step_s;
}

const struct header_archive *export_choose(const struct header *header, const char *function, int64_t since_s,
                                           uint64_t step_s)
{
    struct candidate best = { 0 };
    for (uint32_t i = 0; i < header->archive_count; i++) {
        if (strcmp(header->archives[i].function, function) != 0)
            continue;
        struct candidate c = weigh(header, &header->archives[i], since_s, step_s);
        if (!best.archive || is_better(&c, &best))
            best = c;
    }
    return best.archive;
}

static uint64_t round_up(uint64_t step_s, uint64_t unit_s)
{
    return step_s <= unit_s ? unit_s : (step_s + unit_s - 1) / unit_s * unit_s;
}

/* Which points there are, of an archive of this step. */
static void plan(const struct export *export, uint64_t archive_s, struct export_points *out)
{
    uint64_t step_s = round_up(export->step_s, archive_s);
    int64_t first_s = (export->since_s / (int64_t)step_s + 1) * (int64_t)step_s;
    *out = (struct export_points){ .first_s = first_s, .step_s = step_s };
    if (export->until_s >= first_s)
        out->count = (uint64_t)(export->until_s - first_s) / step_s + 1;
}

/* What the points of one step come to. */
struct sum {
    double mean, least, greatest;
    uint64_t count;
};

static double finish(const struct sum *sum, const char *function)
{
    if (sum->count == 0)
        return NAN;
    if (strcmp(function, "average") == 0)
        return sum->mean / (double)sum->count;
    return strcmp(function, "min") == 0 ? sum->least : sum->greatest;
}

static void add(struct sum *sum, double value)
{
    if (!isfinite(value))
        return;
    sum->mean += value;
    sum->least = sum->count ? fmin(sum->least, value) : value;
    sum->greatest = sum->count ? fmax(sum->greatest, value) : value;
    sum->count++;
}

void export_consolidate(struct arena *arena, const struct export *export, const struct store_values *values,
                        uint64_t column, struct export_points *out)
{
    uint64_t i = 0;
    plan(export, values->step_s, out);
    out->values = arena_array(arena, out->count + 1, sizeof(*out->values));
    for (uint64_t point = 0; point < out->count; point++) {
        struct sum sum = { 0 };
        int64_t end_s = out->first_s + (int64_t)(point * out->step_s), begin_s = end_s - (int64_t)out->step_s;
        for (; i < values->count; i++) {
            int64_t at_s = values->start_s + (int64_t)((i + 1) * values->step_s);
            if (at_s > end_s)
                break;
            if (at_s > begin_s)
                add(&sum, values->values[i * values->source_count + column]);
        }
        out->values[point] = finish(&sum, export->function);
    }
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static const struct shelf_file *find_file(const struct shelf *shelf, const char *name)
{
    for (uint32_t i = 0; i < shelf->count; i++)
        if (shelf->files[i].name == name)
            return &shelf->files[i];
    return NULL;
}

static int refuse_many(struct exporter *exporter)
{
    return why_say(exporter->why, ERROR_LIMIT,
                   "that is too many values: ask for a longer step, a shorter time or fewer metrics");
}

/* All sources of the file at once; they stay until another file is read. */
static int read_file(struct exporter *exporter, const struct shelf_file *file)
{
    const struct export *export = exporter->export;
    int64_t step_s = (int64_t) export->step_s;
    int64_t since_s = step_s ? export->since_s - export->since_s % step_s : export->since_s; /* whole steps */
    struct export_points all;
    if (exporter->file == file->name)
        return 0;
    store_values_close(&exporter->values);
    exporter->file = NULL;
    const char *function = export_function(export->function);
    const struct header_archive *archive = export_choose(&file->header, function, since_s, export->step_s);
    if (!archive)
        return why_say(exporter->why, ERROR_UNSUPPORTED, "'%s' keeps no %s", file->path, function);
    const struct store_fetch fetch = { .path = file->name,
                                       .function = function,
                                       .since_s = since_s > 0 ? since_s : 1,
                                       .until_s = export->until_s,
                                       .step_s = archive->steps * file->header.step_s };
    plan(&(struct export){ .since_s = since_s, .until_s = export->until_s }, fetch.step_s, &all);
    if (all.count > FETCH_VALUES_MAX / file->header.source_count)
        return refuse_many(exporter);
    int code = store_fetch(&fetch, &exporter->values, exporter->why);
    if (code == 0)
        exporter->file = file->name;
    return code;
}

/* source_count when the file has it not. */
static uint64_t find_column(const struct store_values *values, const char *source)
{
    uint64_t column = 0;
    while (column < values->source_count && strcmp(values->sources[column], source) != 0)
        column++;
    return column;
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static void print_text(struct buf *out, const char *before, const char *text)
{
    buf_text(out, before);
    buf_json_text(out, text);
}

static void print_number(struct buf *out, const char *before, double value)
{
    buf_text(out, before);
    buf_json_number(out, value);
}

static const char *metric_name(const struct legend *legend, const char *source)
{
    for (uint32_t i = 0; i < legend->metric_count; i++)
        if (strcmp(legend->metrics[i].source, source) == 0)
            return legend->metrics[i].name;
    return NULL;
}

static void print_points(struct buf *out, const struct export_points *points)
{
    buf_print(out, ", \"step\": %llu, \"first\": %lld, \"values\": [", (unsigned long long)points->step_s,
              (long long)points->first_s);
    for (uint64_t i = 0; i < points->count; i++)
        print_number(out, i ? "," : "", points->values[i]);
    buf_text(out, "] }");
}

static void print_head(struct buf *out, const struct legend *legend, const struct picture_line *line, bool limit,
                       const struct figures *figures)
{
    print_text(out, "\n    { \"metric\": ", metric_name(legend, line->from.source));
    print_text(out, ", \"part\": ", legend->part);
    print_text(out, ", \"label\": ", line->label);
    buf_print(out, ", \"limit\": %s", limit ? "true" : "false");
    print_number(out, ", \"last\": ", figures->last);
    print_number(out, ", \"min\": ", figures->least);
    print_number(out, ", \"average\": ", figures->mean);
    print_number(out, ", \"max\": ", figures->greatest);
}

static int print_line(struct exporter *exporter, const struct picture_line *line, bool limit,
                      const struct figures *figures)
{
    const struct shelf_file *file = find_file(exporter->shelf, line->from.file);
    struct export_points points;
    int code = file ? read_file(exporter, file) : ERROR_DAMAGED;
    if (code < 0)
        return code;
    uint64_t column = find_column(&exporter->values, line->from.source);
    if (column == exporter->values.source_count)
        return why_say(exporter->why, ERROR_DAMAGED, "'%s' has no '%s'", file->path, line->from.source);
    plan(exporter->export, exporter->values.step_s, &points);
    exporter->count += points.count;
    if (exporter->count > EXPORT_VALUES_MAX)
        return refuse_many(exporter);
    arena_reset(&exporter->scratch);
    export_consolidate(&exporter->scratch, exporter->export, &exporter->values, column, &points);
    print_head(exporter->out, &file->legend, line, limit, figures);
    buf_print(exporter->out, ", \"archive\": %llu", (unsigned long long)exporter->values.step_s);
    print_points(exporter->out, &points);
    return 0;
}

/* ---- pictures --------------------------------------------------------------------------------------------------- */

/* A picture's lines with their figures, the limit behind the others. */
struct drawn {
    struct picture_line *lines;
    struct figures *figures;
    bool *chosen;
    uint32_t count, left_out;
    bool limit;
};

static int choose_lines(struct arena *arena, const struct exporter *exporter, const struct picture *picture,
                        struct drawn *out)
{
    const struct export *export = exporter->export;
    uint32_t n = picture->line_count;
    struct figures_source *sources = arena_array(arena, n + 1, sizeof(*sources));
    const struct figures_span span = { export->since_s, export->until_s, export->step_s ? export->step_s : 1 };
    *out = (struct drawn){ .lines = arena_array(arena, n + 1, sizeof(*out->lines)),
                           .figures = arena_array(arena, n + 1, sizeof(*out->figures)),
                           .chosen = arena_array(arena, n + 1, sizeof(*out->chosen)),
                           .count = n + (picture->limit != NULL),
                           .limit = picture->limit != NULL };
    memcpy(out->lines, picture->lines, n * sizeof(*out->lines));
    if (picture->limit)
        out->lines[n] = *picture->limit;
    for (uint32_t i = 0; i < out->count; i++)
        sources[i] = out->lines[i].from;
    int code = figures_read(&span, sources, out->count, out->figures, exporter->why);
    for (uint32_t i = 0; i < out->count; i++)
        out->chosen[i] = export->all_lines || i == n || !picture->of_parts || isfinite(out->figures[i].mean);
    if (code == 0 && !export->all_lines)
        out->left_out = figures_keep_greatest(out->figures, out->chosen, n, PICTURE_LINES_MAX);
    return code;
}

/* An axis for all of it; of a stack for the sum. */
static struct scale choose_scale(const struct picture *picture, const struct drawn *drawn)
{
    double greatest = 0, total = 0;
    for (uint32_t i = 0; i < picture->line_count; i++) {
        const struct figures *figures = &drawn->figures[i];
        if (!drawn->chosen[i] || !isfinite(figures->mean))
            continue;
        greatest = fmax(greatest, fmax(fabs(figures->greatest), fabs(figures->least)));
        total += fmax(figures->mean, 0);
    }
    return scale_choose(picture->unit, picture->stack ? fmax(greatest, total) : greatest);
}

static int print_picture(struct arena *arena, struct exporter *exporter, const struct picture *picture)
{
    struct buf *out = exporter->out;
    struct drawn drawn;
    int code = choose_lines(arena, exporter, picture, &drawn);
    if (code < 0)
        return code;
    const struct scale scale = choose_scale(picture, &drawn);
    print_text(out, "{ \"title\": ", picture->title);
    print_text(out, ", \"unit\": ", picture->unit);
    buf_print(out, ", \"stack\": %s", picture->stack ? "true" : "false");
    print_number(out, ", \"scale\": { \"size\": ", scale.size);
    print_text(out, ", \"unit\": ", scale.unit);
    buf_print(out, " }, \"left_out\": %u, \"lines\": [", drawn.left_out);
    const char *comma = "";
    for (uint32_t i = 0; code == 0 && i < drawn.count; i++) {
        if (!drawn.chosen[i])
            continue;
        buf_text(out, comma);
        comma = ",";
        code = print_line(exporter, &drawn.lines[i], i == picture->line_count, &drawn.figures[i]);
    }
    buf_text(out, "] }");
    return code;
}

int export_page(struct arena *arena, const struct export *export, const struct shelf *shelf, const struct page *page,
                struct buf *out, struct why *why)
{
    struct exporter exporter = { .export = export, .shelf = shelf, .out = out, .why = why };
    int code = 0;
    print_text(out, "{ \"check\": ", export->check);
    print_text(out, ", \"function\": ", export->function);
    buf_print(out, ", \"since\": %lld, \"until\": %lld, \"pictures\": [", (long long)export->since_s,
              (long long)export->until_s);
    for (uint32_t i = 0; code == 0 && i < page->count; i++) {
        buf_text(out, i ? ",\n  " : "\n  ");
        code = print_picture(arena, &exporter, &page->pictures[i]);
    }
    buf_text(out, "] }\n");
    store_values_close(&exporter.values);
    arena_close(&exporter.scratch);
    return code == 0 && out->overflowed ? why_say(why, ERROR_LIMIT, "that is too much for one answer") : code;
}
