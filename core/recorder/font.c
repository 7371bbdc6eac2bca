/* SPDX-License-Identifier: GPL-3.0-or-later */
/* font - a name that is not installed becomes some other font by itself; whether that one does is measured. The legend
 * is a table: its font must be monospaced. */
#include "core/recorder/font.h"

#include <cairo.h>
#include <fontconfig/fontconfig.h>
#include <stddef.h>

/* In order of preference; the last one is whatever the system calls so. */
static const char *const monos[] = { "DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono", "monospace" };

static double measure(cairo_t *canvas, const char *font, const char *text)
{
    cairo_text_extents_t extents;
    cairo_select_font_face(canvas, font, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas, 100);
    cairo_text_extents(canvas, text, &extents);
    return cairo_status(canvas) == CAIRO_STATUS_SUCCESS ? extents.x_advance : 0;
}

static const char *choose(cairo_t *canvas, struct picture_fonts *out)
{
    *out = (struct picture_fonts){ "DejaVu Sans", monos[0] };
    if (!(measure(canvas, out->plain, "Wi") > 0))
        return "no font is installed, so nothing can be written into pictures; install for example fonts-dejavu-core";
    for (size_t i = 0; i < sizeof(monos) / sizeof(*monos); i++) {
        double narrow = measure(canvas, monos[i], "ii"), wide = measure(canvas, monos[i], "WW");
        out->mono = monos[i];
        if (wide - narrow < 1 && narrow - wide < 1)
            return NULL;
    }
    return "no monospaced font is installed, so the legend's columns are ragged; install for example fonts-dejavu-core";
}

const char *font_choose(struct picture_fonts *out)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *canvas = cairo_create(surface);
    const char *trouble = choose(canvas, out);
    cairo_destroy(canvas);
    cairo_surface_destroy(surface);
    return trouble;
}

/* An empty configuration in force: the libraries find that there is one, and read none. */
const char *font_none(void)
{
    FcConfigSetCurrent(FcConfigCreate());
    return NULL;
}
