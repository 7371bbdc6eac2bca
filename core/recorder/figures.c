/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figures - values of RRD files, consolidated over a span. */
#include "core/recorder/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/recorder/store.h"

/* What one consolidation function contributes. */
enum figure {
    FIGURE_MEAN, /* and the last value */
    FIGURE_LEAST,
    FIGURE_GREATEST,
    FIGURE_COUNT
};
static const char *const functions[] = { "AVERAGE", "MIN", "MAX" };

static int fetch(const struct figures_span *span, enum figure figure, const char *file, struct store_values *out,
                 struct why *why)
{
    struct store_fetch fetch = { .path = file,
                                 .function = functions[figure],
                                 .since_s = span->since_s,
                                 .until_s = span->until_s,
                                 .step_s = span->step_s };
    return store_fetch(&fetch, out, why);
}

/* How many of the sources, from the first on, are of its file. */
static uint32_t count_of_file(const struct figures_source *sources, uint32_t count)
{
    uint32_t n = 1;
    while (n < count && strcmp(sources[n].file, sources[0].file) == 0)
        n++;
    return n;
}

/* source_count when the file has no such source. */
static uint64_t find_column(const struct store_values *values, const char *source)
{
    uint64_t column = 0;
    while (column < values->source_count && strcmp(values->sources[column], source) != 0)
        column++;
    return column;
}

static void add_column(struct figures *out, enum figure figure, const struct store_values *values, uint64_t column)
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
            out->last = value;
        if (figure == FIGURE_LEAST)
            out->least = fmin(out->least, value);
        if (figure == FIGURE_GREATEST)
            out->greatest = fmax(out->greatest, value);
    }
    if (figure == FIGURE_MEAN && count > 0)
        out->mean = sum / (double)count;
}

/* One function of all sources. */
static int add_figure(const struct figures_span *span, enum figure figure, const struct figures_source *sources,
                      uint32_t count, struct figures *out, struct why *why)
{
    int code = 0;
    for (uint32_t i = 0, n; code == 0 && i < count; i += n) {
        struct store_values values;
        n = count_of_file(sources + i, count - i);
        code = fetch(span, figure, sources[i].file, &values, why);
        for (uint32_t k = i; code == 0 && k < i + n; k++) {
            uint64_t column = find_column(&values, sources[k].source);
            if (column < values.source_count)
                add_column(&out[k], figure, &values, column);
        }
        store_values_close(&values);
    }
    return code;
}

static void clear(struct figures *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct figures){ NAN, NAN, NAN, NAN };
}

int figures_read(const struct figures_span *span, const struct figures_source *sources, uint32_t count,
                 struct figures *out, struct why *why)
{
    int code = 0;
    clear(out, count);
    for (enum figure figure = FIGURE_MEAN; code == 0 && figure < FIGURE_COUNT; figure++)
        code = add_figure(span, figure, sources, count, out, why);
    return code;
}

int figures_read_means(const struct figures_span *span, const struct figures_source *sources, uint32_t count,
                       struct figures *out, struct why *why)
{
    clear(out, count);
    return add_figure(span, FIGURE_MEAN, sources, count, out, why);
}

static double rank(const struct figures *figures)
{
    return isfinite(figures->mean) ? figures->mean : -INFINITY;
}

/* The chosen one with the least mean, of equal ones the last; one without a mean is less than all. */
static uint32_t find_least(const struct figures *means, const bool *chosen, uint32_t count)
{
    uint32_t least = count;
    for (uint32_t i = 0; i < count; i++)
        if (chosen[i] && (least == count || rank(&means[i]) <= rank(&means[least])))
            least = i;
    return least;
}

uint32_t figures_keep_greatest(const struct figures *means, bool *chosen, uint32_t count, uint32_t most)
{
    uint32_t kept = 0, dropped = 0;
    for (uint32_t i = 0; i < count; i++) {
        kept += chosen[i];
        if (kept <= most)
            continue;
        chosen[find_least(means, chosen, i + 1)] = false; /* never more than one too many */
        kept--;
        dropped++;
    }
    return dropped;
}

/* ---- points ----------------------------------------------------------------------------------------------------- */

static int read_points(struct arena *arena, const struct figures_span *span, const struct figures_source *source,
                       struct figures_points *out, struct why *why)
{
    struct store_values values;
    int code = fetch(span, FIGURE_MEAN, source->file, &values, why);
    uint64_t column = code == 0 ? find_column(&values, source->source) : 0;
    *out = (struct figures_points){ .start_s = values.start_s, .step_s = values.step_s };
    if (code == 0 && column < values.source_count) {
        out->count = values.count;
        out->values = arena_array(arena, values.count + 1, sizeof(*out->values));
    }
    for (uint64_t i = 0; i < out->count; i++)
        out->values[i] = values.values[i * values.source_count + column];
    store_values_close(&values);
    return code;
}

/* Adds what more has at the times of sum. */
static void add_points(struct figures_points *sum, const struct figures_points *more)
{
    for (uint64_t i = 0; more->count && i < sum->count; i++) {
        int64_t at_s = sum->start_s + (int64_t)(i * sum->step_s) - more->start_s;
        uint64_t k = at_s < 0 ? more->count : (uint64_t)at_s / more->step_s;
        if (k < more->count && isfinite(more->values[k]))
            sum->values[i] = more->values[k] + (isfinite(sum->values[i]) ? sum->values[i] : 0);
    }
}

int figures_read_points(struct arena *arena, const struct figures_span *span, const struct figures_sources *sources,
                        struct figures_points *out, struct why *why)
{
    int code = 0;
    *out = (struct figures_points){ 0 };
    for (uint32_t i = 0; code == 0 && i < sources->count; i++) {
        struct figures_points points;
        code = read_points(arena, span, &sources->v[i], &points, why);
        if (code == 0 && out->count)
            add_points(out, &points);
        else if (code == 0)
            *out = points;
    }
    return code;
}

struct figures figures_of(const struct figures_points *points)
{
    struct figures out = { NAN, NAN, NAN, NAN };
    double sum = 0;
    uint64_t count = 0;
    for (uint64_t i = 0; i < points->count; i++) {
        double value = points->values[i];
        if (!isfinite(value))
            continue;
        sum += value;
        count++;
        out.last = value;
        out.least = fmin(out.least, value);
        out.greatest = fmax(out.greatest, value);
    }
    if (count > 0)
        out.mean = sum / (double)count;
    return out;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double figures_percentile(struct arena *arena, const struct figures_points *points, double percentile)
{
    double *sorted = arena_array(arena, points->count + 1, sizeof(*sorted));
    uint64_t count = 0;
    for (uint64_t i = 0; i < points->count; i++)
        if (isfinite(points->values[i]))
            sorted[count++] = points->values[i];
    if (count == 0)
        return NAN;
    qsort(sorted, count, sizeof(*sorted), compare_numbers);
    uint64_t rank = (uint64_t)ceil(percentile / 100 * (double)count);
    return sorted[rank ? rank - 1 : 0];
}

int64_t figures_last_before(const struct figures_points *points, int64_t time_s)
{
    int64_t last_s = 0;
    for (uint64_t i = 0; i < points->count; i++) {
        int64_t end_s = points->start_s + (int64_t)((i + 1) * points->step_s);
        if (end_s <= time_s && isfinite(points->values[i]))
            last_s = end_s;
    }
    return last_s;
}
