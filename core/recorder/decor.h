/* SPDX-License-Identifier: GPL-3.0-or-later */
/* decor - what happened, drawn over librrd's picture: the strip of states under the plot, hatching where nobody looked,
 * marks with their labels. Internal to picture.c. */
#ifndef RECORDER_DECOR_H
#define RECORDER_DECOR_H

#include "core/recorder/drawing.h"

/* Where librrd has put things. */
struct decor_place {
    double left, top, width, height; /* the plot */
    double strip_y;                  /* the legend's line that is kept free; 0: none */
    double key_x, key_y;             /* behind the legend's heading: base line */
};

/* Draws onto a PNG's bytes, or appends elements to an SVG's. 0 or a negative code. */
int decor_draw(const struct drawing *drawing, const struct decor_place *place, struct buf *image, struct why *why);
/* "; state: OK 98 %, CRITICAL 2 %", or nothing. */
void decor_describe(const struct drawing *drawing, struct buf *out);
/* Whether something would be drawn. */
bool decor_is_wanted(const struct drawing *drawing);
/* Whether labels stand at the top of the plot. */
bool decor_has_marks(const struct drawing *drawing);

#endif
