/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picture - draws one graph of some recorded metrics through librrd. Called in a process that may crash (belfry-graph).
 */
#ifndef RECORDER_PICTURE_H
#define RECORDER_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/model/history.h"
#include "core/recorder/figures.h"

#define PICTURE_LINES_MAX 8 /* as many as there are colours that one can tell apart */

struct picture_line {
    struct figures_source from;
    const char *label;       /* any text */
    const char *warn, *crit; /* ranges, or NULL */
    const char *metric;
    bool rare; /* measured less often than BASELINE_RARE_S */
};

/* Names of installed fonts; see font.h. */
struct picture_fonts {
    const char *plain, *mono;
};

struct picture {
    const char *title; /* any text */
    const char *unit;  /* of all lines, see plugin_recorded_unit() */
    struct picture_line *lines;
    uint32_t line_count;              /* more than PICTURE_LINES_MAX: those with the greatest means are drawn */
    bool of_parts;                    /* a line that has no value in this time is left out */
    const struct picture_line *limit; /* or NULL */
    bool stack;                       /* areas on top of each other */
    int64_t since_s, until_s;
    int64_t compare_s;             /* the time so much earlier is drawn too; 0: not */
    double percentile;             /* of each line; 0: none */
    const struct history *history; /* what happened meanwhile, or NULL */
    bool baseline;                 /* of an only line also when no threshold refers to it */
    struct picture_fonts fonts;
    int width, height; /* of the whole picture */
    bool grows;        /* height is for a short legend; a longer one makes the picture higher */
    bool thumb;        /* only the curves: nothing is written */
    bool dark, svg;
};

/* The bytes of the picture into out, its height in *height; 0 or a negative code. */
int picture_draw(struct arena *arena, const struct picture *picture, struct buf *out, int *height, struct why *why);
/* A text as XML text. */
void picture_xml(struct buf *out, const char *text);
/* The beginning of an SVG, up to the root's ">". */
void picture_head(struct buf *out, int width, int height);
/* The colour behind everything. */
const char *picture_background(bool dark);

#endif
