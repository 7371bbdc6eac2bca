/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compose - several pictures of one width, one under the other, in one file. */
#ifndef RECORDER_COMPOSE_H
#define RECORDER_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"

struct compose_image {
    struct buf bytes; /* an SVG or a PNG, as picture_draw() made it */
    int height;
};

struct compose {
    const struct compose_image *images;
    uint32_t count;
    int width;
    const char *title; /* of the whole; any text */
    bool dark, svg;
};

/* The one file into out; 0 or a negative code. */
int compose_page(const struct compose *page, struct buf *out, struct why *why);

#endif
