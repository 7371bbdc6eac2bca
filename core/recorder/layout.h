/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layout - what an RRD file shall look like for a series, and whether a file looks so. Pure. */
#ifndef RECORDER_LAYOUT_H
#define RECORDER_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/model/series.h"
#include "core/recorder/header.h"
#include "core/recorder/name.h"

#define LAYOUT_BYTES_MAX (1u << 30) /* of one file */

struct layout_source {
    char name[NAME_SOURCE_SIZE];
    const char *type; /* GAUGE or DERIVE; of a retired source what the file says */
    uint32_t heartbeat_s;
    double min, max;            /* NaN: unbounded */
    char was[NAME_SOURCE_SIZE]; /* the file's source whose history it takes over; "": none */
};

struct layout_archive {
    uint32_t steps, rows; /* kept for AVERAGE, MIN and MAX each */
};

struct layout {
    uint32_t step_s;
    struct layout_source *sources; /* the series' in its order, then the retired ones */
    uint32_t source_count;
    uint32_t live_count; /* of the series */
    struct layout_archive archives[SERIES_ARCHIVES_MAX];
    uint32_t archive_count;
    uint64_t size_bytes;
};

extern const char *const layout_functions[]; /* "AVERAGE", "MIN", "MAX", NULL */

/* Sources that only the existing file has are kept as retired ones, so that a metric that comes and goes keeps its
 * history; not those whose metric was renamed, which go over into the new one. header may be NULL. 0, ERROR_SYNTAX (two
 * metrics of one name, no archive) or ERROR_LIMIT (too large). */
int layout_make(struct arena *arena, const struct series *series, const struct header *header, struct layout *out,
                struct why *why);
bool layout_matches(const struct layout *layout, const struct header *header);

#endif
