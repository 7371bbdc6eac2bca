/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figures - what the lines of a picture come to over its time: last, least, mean and greatest value of each. */
#ifndef RECORDER_FIGURES_H
#define RECORDER_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"

/* One data source of a sound RRD file in the working folder; see header_read(). */
struct figures_source {
    const char *file, *source;
};

struct figures_span {
    int64_t since_s, until_s;
    uint64_t step_s; /* wanted */
};

struct figures {
    double last, least, mean, greatest; /* NaN: no value */
};

/* Sources of one file that follow each other are read at once. 0 or a negative code. */
int figures_read(const struct figures_span *span, const struct figures_source *sources, uint32_t count,
                 struct figures *out, struct why *why);
/* Only last and mean: a third of the work. */
int figures_read_means(const struct figures_span *span, const struct figures_source *sources, uint32_t count,
                       struct figures *out, struct why *why);
/* Of the chosen ones only `most` with the greatest means stay chosen; returns how many no longer are. */
uint32_t figures_keep_greatest(const struct figures *means, bool *chosen, uint32_t count, uint32_t most);

/* ---- one by one */

struct figures_sources {
    const struct figures_source *v;
    uint32_t count;
};

/* The means; the point i belongs to the time (start_s + i * step_s, + step_s]. NaN: no value. */
struct figures_points {
    int64_t start_s;
    uint64_t step_s, count;
    double *values;
};

/* The sums of all sources at the times of the first that is there, in the arena. 0 or a negative code. */
int figures_read_points(struct arena *arena, const struct figures_span *span, const struct figures_sources *sources,
                        struct figures_points *out, struct why *why);
struct figures figures_of(const struct figures_points *points);
/* The least value that so many percent are not above (nearest rank); NaN without values. */
double figures_percentile(struct arena *arena, const struct figures_points *points, double percentile);
/* The end of the last point with a value that ends at that time or before; 0: none. */
int64_t figures_last_before(const struct figures_points *points, int64_t time_s);

#endif
