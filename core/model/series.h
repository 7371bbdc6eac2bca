/* SPDX-License-Identifier: GPL-3.0-or-later */
/* series - what the recorder needs to know of one RRD file. */
#ifndef MODEL_SERIES_H
#define MODEL_SERIES_H

#include "core/base/arena.h"
#include "core/base/wire.h"
#include "core/model/plugin.h"

#define SERIES_SOURCES_MAX 512
#define SERIES_ARCHIVES_MAX 16
#define SERIES_POINTS_MAX 4000000u /* of one archive */

struct series_source {
    const char *metric; /* the metric's name; the recorder maps it to a data-source name */
    int kind;           /* enum belfry_metric_kind */
    double min, max;    /* NaN: unbounded */
    /* for those who draw: the unit, and the ranges in force as text; NULL: none */
    const char *unit, *warn, *crit;
    const char *was; /* the metric's earlier name, whose history is its own; NULL: none */
    bool baseline;   /* a threshold compares with it */
};

/* An archive: how long each point and the whole last, in seconds. AVERAGE, MIN and MAX are kept of each. */
struct series_archive {
    uint32_t point_s, length_s;
};

/* A metric that has another name now. */
struct series_rename {
    const char *from, *to;
};

struct series {
    const char *check; /* id; the file is service/check.rrd below the rrd folder */
    const char *part;  /* NULL, or the part: service/check/PART.rrd */
    uint32_t step_s;
    uint32_t heartbeat_s;
    struct series_source *sources;
    uint32_t source_count;
    struct series_archive *archives;
    uint32_t archive_count;
    struct plugin_view *views; /* of the plugin, for those who draw */
    uint32_t view_count;
};

void series_encode(struct buf *out, const struct series *series);
int series_decode(struct wire_reader *r, struct arena *arena, struct series *out);

#endif
