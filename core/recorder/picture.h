/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picture - draws one graph of some metrics of one RRD file through librrd. Called once in the life of a process that
 * may crash (belfry-graph). */
#ifndef RECORDER_PICTURE_H
#define RECORDER_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/recorder/header.h"
#include "core/recorder/legend.h"

#define PICTURE_METRICS_MAX 8 /* as many as there are colours that one can tell apart */

struct picture {
    const char *file;  /* the RRD file's name in the working folder; sound, see header_read() */
    const char *title; /* any text */
    const char *unit;  /* of all metrics, see plugin_recorded_unit() */
    const struct legend_metric *metrics[PICTURE_METRICS_MAX];
    uint32_t metric_count;
    const struct header *header;
    int64_t since_s, until_s;
    int width, height; /* of the whole picture */
    bool dark, svg;
};

/* The bytes of the picture into out; 0 or a negative code. */
int picture_draw(struct arena *arena, const struct picture *picture, struct buf *out, struct why *why);

#endif
