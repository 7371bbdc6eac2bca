/* SPDX-License-Identifier: GPL-3.0-or-later */
/* legend - what the data sources of an RRD file mean: its metrics with their units and thresholds, and the plugin's
 * ready-made graphs, as JSON in a neighbour of the file (FILE.rrd.map). Written by the recorder, read by whoever draws;
 * doc/time-series.md has the format. */
#ifndef RECORDER_LEGEND_H
#define RECORDER_LEGEND_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/model/series.h"
#include "core/recorder/layout.h"

#define LEGEND_BYTES_MAX (2u << 20)
#define LEGEND_SUFFIX ".map"

struct legend_metric {
    const char *name;   /* the metric */
    const char *source; /* its data source */
    const char *unit;   /* never NULL */
    const char *warn, *crit;
    int kind;  /* enum belfry_metric_kind */
    bool live; /* false: retired, the check has it no longer */
};

struct legend {
    const char *check, *part; /* part may be NULL */
    uint32_t step_s;
    int64_t moved_s; /* an earlier file was found damaged then, and moved aside; 0: none */
    int64_t gone_s;  /* the part's last sample: the check's results have it no longer; 0: they have */
    struct legend_metric *metrics;
    uint32_t metric_count;
    struct plugin_view *views; /* of the plugin */
    uint32_t view_count;
};

/* old, when not NULL, lends the names of the retired sources. */
void legend_make(struct arena *arena, const struct series *series, const struct layout *layout,
                 const struct legend *old, struct legend *out);
void legend_print(struct buf *out, const struct legend *legend);
/* Reads the legend of the RRD file at path: 0 or a negative code; nothing in the file is believed unchecked. */
int legend_read(struct arena *arena, const char *path, struct legend *out, struct why *why);
/* Writes it when it differs from what is there. */
int legend_write(struct arena *arena, const char *path, const struct legend *legend, struct why *why);

#endif
