/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ink - the few shapes that are drawn over librrd's picture, the same in an SVG (as elements, with words to hover over)
 * and in a PNG (by cairo). */
#ifndef RECORDER_INK_H
#define RECORDER_INK_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"

struct ink {
    struct buf *svg; /* elements go there; NULL: onto the canvas */
    cairo_t *canvas; /* of an SVG, too: to measure by */
    const char *font;
    const char *back; /* the colour behind texts; colours are "#RRGGBB" */
};

struct ink_box {
    double x, y, width, height;
};

/* image: the PNG to draw on, or NULL for an SVG. 0 or a negative code; close it in both cases. */
int ink_open(struct ink *ink, const void *image, size_t bytes);
void ink_close(struct ink *ink);

/* tip: words to hover over, or NULL. */
void ink_fill(struct ink *ink, const struct ink_box *box, const char *colour, double opacity, const char *tip);
void ink_hatch(struct ink *ink, const struct ink_box *box, const char *colour, const char *tip);
/* Dashes along the left side of the box. */
void ink_rule(struct ink *ink, const struct ink_box *box, const char *colour, const char *tip);
/* A text; x and y are where its base line begins. */
struct ink_words {
    double x, y;
    const char *colour, *text;
    bool upwards;
};
void ink_text(struct ink *ink, const struct ink_words *words);
double ink_measure(const struct ink *ink, const char *text);

/* PNGs from and to bytes. */
cairo_surface_t *ink_read_png(const void *bytes, size_t n);
cairo_status_t ink_write_png(cairo_surface_t *surface, struct buf *out);

#endif
