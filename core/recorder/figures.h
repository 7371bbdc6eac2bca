/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figures - what the lines of a picture come to over its time: last, least, mean and greatest value of each. */
#ifndef RECORDER_FIGURES_H
#define RECORDER_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

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
/* The greatest sum of all sources at one time. */
int figures_read_total(const struct figures_span *span, const struct figures_source *sources, uint32_t count,
                       double *out, struct why *why);

#endif
