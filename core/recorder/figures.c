/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figures - values of RRD files, consolidated over a span. */
#include "core/recorder/figures.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
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

/* ---- sums ------------------------------------------------------------------------------------------------------- */

struct sums {
    struct arena arena;
    double *at;     /* by the points of the first file */
    uint64_t count; /* of points */
    int64_t start_s;
    uint64_t step_s;
    double more; /* the greatest values of sources with other points */
};

static void add_to_sums(struct sums *sums, const struct store_values *values, uint64_t column)
{
    bool same = values->start_s == sums->start_s && values->step_s == sums->step_s && values->count == sums->count;
    double greatest = 0;
    for (uint64_t i = 0; i < values->count; i++) {
        double value = values->values[i * values->source_count + column];
        if (isfinite(value) && same)
            sums->at[i] += value;
        if (isfinite(value))
            greatest = fmax(greatest, value);
    }
    sums->more += same ? 0 : greatest;
}

static void start_sums(struct sums *sums, const struct store_values *values)
{
    sums->at = arena_array(&sums->arena, values->count + 1, sizeof(*sums->at));
    sums->count = values->count;
    sums->start_s = values->start_s;
    sums->step_s = values->step_s;
}

int figures_read_total(const struct figures_span *span, const struct figures_source *sources, uint32_t count,
                       double *out, struct why *why)
{
    struct sums sums = { 0 };
    int code = 0;
    *out = 0;
    for (uint32_t i = 0; code == 0 && i < count; i++) {
        struct store_values values;
        code = fetch(span, FIGURE_MEAN, sources[i].file, &values, why);
        if (code == 0 && !sums.at)
            start_sums(&sums, &values);
        uint64_t column = code == 0 ? find_column(&values, sources[i].source) : 0;
        if (code == 0 && column < values.source_count)
            add_to_sums(&sums, &values, column);
        store_values_close(&values);
    }
    for (uint64_t i = 0; i < sums.count; i++)
        *out = fmax(*out, sums.at[i]);
    *out += sums.more;
    arena_close(&sums.arena);
    return code;
}
