/* SPDX-License-Identifier: GPL-3.0-or-later */
/* export - what a page of pictures draws, as numbers: belfry-graph --export prints it, and `belfry series` and `belfry
 * graph --term` read it (core/cli). */
#ifndef RECORDER_EXPORT_H
#define RECORDER_EXPORT_H

#include "core/recorder/page.h"
#include "core/recorder/store.h"

#define EXPORT_VALUES_MAX 500000u

struct export
{
    const char *check;
    const char *function; /* average, min or max */
    int64_t since_s, until_s;
    uint64_t step_s; /* at least this; 0: as fine as it was kept for all of the time */
    bool all_lines;  /* of a picture; else those that would be drawn */
};

/* "AVERAGE" for "average", likewise min and max; else NULL. */
const char *export_function(const char *name);

/* The archive that is read for steps of step_s: of those that reach back to since_s the coarsest that is not coarser,
 * else the finest; when none reaches so far, the one that reaches farthest. NULL: none of this function. */
const struct header_archive *export_choose(const struct header *header, const char *function, int64_t since_s,
                                           uint64_t step_s);

/* Points of one source: i is what became of the time up to first_s + i * step_s, for step_s. */
struct export_points {
    int64_t first_s;
    uint64_t step_s, count;
    double *values; /* NaN: unknown */
};
/* One column, consolidated to the multiple of its step that is not below export->step_s, at multiples of it; only
 * points that end after since_s and not after until_s. */
void export_consolidate(struct arena *arena, const struct export *export, const struct store_values *values,
                        uint64_t column, struct export_points *out);

/* The JSON into out; the files are read in the working folder, that of the shelf. 0 or a negative code. */
int export_page(struct arena *arena, const struct export *export, const struct shelf *shelf, const struct page *page,
                struct buf *out, struct why *why);

#endif
