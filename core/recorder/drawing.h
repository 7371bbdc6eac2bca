/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drawing - one picture in the making: what picture.c has found out, sketch.c tells librrd and decor.c draws over it.
 * Internal to these files. */
#ifndef RECORDER_DRAWING_H
#define RECORDER_DRAWING_H

#include "core/recorder/args.h"
#include "core/recorder/bands.h"
#include "core/recorder/picture.h"
#include "core/recorder/scale.h"
#include "core/recorder/usual.h"

struct theme {
    const char *back, *grid, *main_grid, *font, *axis;
    const char *states[4]; /* of bands, rules, strip and marks; by enum belfry_state */
    const char *note;      /* marks of what is neither good nor bad */
    const char *band;      /* opacity of a threshold's band, two hex digits */
    const char *usual;     /* of a baseline, likewise */
    const char *colours[PICTURE_LINES_MAX];
};

struct drawing {
    const struct picture *picture;
    const struct theme *theme;
    struct arena *arena;
    struct args args;
    struct picture_line lines[PICTURE_LINES_MAX + 1]; /* with the limit as the last */
    struct figures figures[PICTURE_LINES_MAX + 1];
    double percentiles[PICTURE_LINES_MAX]; /* of the lines; of a stack in the first: that of the sum. NaN: none */
    struct figures before;                 /* of the only line, or of the stack, in the earlier time */
    struct usual usual;                    /* of the only line */
    struct figures_points points;          /* the sum of the lines, for a stack and for a history */
    uint32_t line_count, drawn_count;      /* without and with the limit */
    uint32_t left_out;                     /* that had values, but no colour */
    const struct picture_line *common;     /* the line whose thresholds hold for all that are drawn, or NULL */
    struct figures_span span;
    struct scale scale;
    double low, high; /* of the axis, in the metric's unit */
    int height;
    bool any; /* a value at all */
};

/* A stack of several lines. */
bool drawing_is_stack(const struct drawing *drawing);
/* There is a state to show under the plot. */
bool drawing_has_strip(const struct drawing *drawing);

/* ---- sketch.c: fills args */
void sketch_compose(struct drawing *drawing);
/* What is usual at the end of the picture. */
char *sketch_usual_words(const struct drawing *drawing, char out[BASELINE_WORDS_SIZE]);
/* The finite ends of a threshold, which are drawn as rules; how many. */
int sketch_threshold_ends(const char *text, double out[2]);

#endif
