/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ink - shapes as SVG elements or by cairo. A text has the same width in both: in an SVG it is made to fit what cairo
 * measured, whatever font the reader has. */
#include "core/recorder/ink.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/recorder/picture.h"

#define TEXT_PIXELS 9.0
#define HALO_PIXELS 3.0
#define HATCH_PIXELS 6.0 /* between two lines */
#define TEXT_MAX 256     /* bytes */

/* ---- PNG -------------------------------------------------------------------------------------------------------- */

/* What of an image is still to be read. */
struct rest {
    const char *at, *end;
};

static cairo_status_t read_bytes(void *context, unsigned char *out, unsigned n)
{
    struct rest *rest = context;
    if ((size_t)(rest->end - rest->at) < n)
        return CAIRO_STATUS_READ_ERROR;
    memcpy(out, rest->at, n);
    rest->at += n;
    return CAIRO_STATUS_SUCCESS;
}

static cairo_status_t write_bytes(void *context, const unsigned char *bytes, unsigned n)
{
    struct buf *out = context;
    buf_add(out, bytes, n);
    return out->overflowed ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

cairo_surface_t *ink_read_png(const void *bytes, size_t n)
{
    struct rest rest = { bytes, (const char *)bytes + n };
    return cairo_image_surface_create_from_png_stream(read_bytes, &rest);
}

cairo_status_t ink_write_png(cairo_surface_t *surface, struct buf *out)
{
    return cairo_surface_write_to_png_stream(surface, write_bytes, out);
}

/* ---- open and close --------------------------------------------------------------------------------------------- */

/* Without the alpha channel of librrd's, which makes writing it a good deal slower. */
static cairo_surface_t *copy_image(const void *image, size_t bytes)
{
    cairo_surface_t *from = ink_read_png(image, bytes);
    cairo_surface_t *to = cairo_image_surface_create(CAIRO_FORMAT_RGB24, cairo_image_surface_get_width(from),
                                                     cairo_image_surface_get_height(from));
    cairo_t *canvas = cairo_create(to);
    cairo_set_source_surface(canvas, from, 0, 0);
    cairo_paint(canvas);
    cairo_destroy(canvas);
    cairo_surface_destroy(from);
    return to;
}

int ink_open(struct ink *ink, const void *image, size_t bytes)
{
    cairo_surface_t *surface = image ? copy_image(image, bytes) : cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    ink->canvas = cairo_create(surface);
    cairo_surface_destroy(surface);
    cairo_select_font_face(ink->canvas, ink->font, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(ink->canvas, TEXT_PIXELS);
    return cairo_status(ink->canvas) == CAIRO_STATUS_SUCCESS ? 0 : ERROR_DAMAGED;
}

void ink_close(struct ink *ink)
{
    cairo_destroy(ink->canvas);
    ink->canvas = NULL;
}

/* ---- colours and words ------------------------------------------------------------------------------------------ */

static void set_colour(struct ink *ink, const char *colour, double opacity)
{
    unsigned long rgb = strtoul(colour + 1, NULL, 16);
    cairo_set_source_rgba(ink->canvas, (double)(rgb >> 16 & 255) / 255, (double)(rgb >> 8 & 255) / 255,
                          (double)(rgb & 255) / 255, opacity);
}

/* 12.34, whatever the locale */
static void put_number(struct buf *out, const char *name, double value)
{
    long hundredths = (long)(value * 100 + 0.5);
    buf_print(out, " %s=\"%ld.%02ld\"", name, hundredths / 100, hundredths % 100);
}

static void put_box(struct buf *out, const struct ink_box *box)
{
    buf_text(out, "<rect");
    put_number(out, "x", box->x);
    put_number(out, "y", box->y);
    put_number(out, "width", box->width);
    put_number(out, "height", box->height);
}

/* Ends the element that was begun. */
static void put_tip(struct buf *out, const char *element, const char *tip)
{
    if (!tip) {
        buf_text(out, "/>\n");
        return;
    }
    buf_text(out, "><title>");
    picture_xml(out, tip);
    buf_print(out, "</title></%s>\n", element);
}

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

void ink_fill(struct ink *ink, const struct ink_box *box, const char *colour, double opacity, const char *tip)
{
    if (ink->svg) {
        put_box(ink->svg, box);
        buf_print(ink->svg, " fill=\"%s\"", colour);
        put_number(ink->svg, "fill-opacity", opacity);
        put_tip(ink->svg, "rect", tip);
        return;
    }
    set_colour(ink, colour, opacity);
    cairo_rectangle(ink->canvas, box->x, box->y, box->width, box->height);
    cairo_fill(ink->canvas);
}

/* Lines from lower left to upper right, at the same places whatever the box, so that neighbours fit. */
static void trace_hatch(struct ink *ink, const struct ink_box *box)
{
    double bottom = box->y + box->height, first = box->x + box->y;
    first -= (double)((long)first % (long)HATCH_PIXELS);
    for (double sum = first; sum < box->x + box->width + bottom; sum += HATCH_PIXELS) {
        double left = sum - bottom < box->x ? box->x : sum - bottom;
        double right = sum - box->y > box->x + box->width ? box->x + box->width : sum - box->y;
        if (right <= left)
            continue;
        if (ink->svg) {
            buf_print(ink->svg, "M%d %d", (int)left, (int)(sum - left));
            buf_print(ink->svg, "L%d %d", (int)right, (int)(sum - right));
            continue;
        }
        cairo_move_to(ink->canvas, left, sum - left);
        cairo_line_to(ink->canvas, right, sum - right);
    }
}

void ink_hatch(struct ink *ink, const struct ink_box *box, const char *colour, const char *tip)
{
    ink_fill(ink, box, colour, 0.08, tip);
    if (ink->svg) {
        buf_text(ink->svg, "<path d=\"");
        trace_hatch(ink, box);
        buf_print(ink->svg, "\" stroke=\"%s\" stroke-opacity=\"0.5\" stroke-width=\"0.8\" fill=\"none\"", colour);
        put_tip(ink->svg, "path", tip);
        return;
    }
    set_colour(ink, colour, 0.5);
    cairo_set_line_width(ink->canvas, 0.8);
    cairo_set_dash(ink->canvas, NULL, 0, 0);
    trace_hatch(ink, box);
    cairo_stroke(ink->canvas);
}

void ink_rule(struct ink *ink, const struct ink_box *box, const char *colour, const char *tip)
{
    static const double dashes[] = { 3, 2 };
    if (ink->svg) {
        buf_text(ink->svg, "<line");
        put_number(ink->svg, "x1", box->x);
        put_number(ink->svg, "x2", box->x);
        put_number(ink->svg, "y1", box->y);
        put_number(ink->svg, "y2", box->y + box->height);
        buf_print(ink->svg, " stroke=\"%s\" stroke-width=\"1\" stroke-dasharray=\"3,2\"", colour);
        put_tip(ink->svg, "line", tip);
        return;
    }
    set_colour(ink, colour, 1);
    cairo_set_line_width(ink->canvas, 1);
    cairo_set_dash(ink->canvas, dashes, 2, 0);
    cairo_move_to(ink->canvas, box->x, box->y);
    cairo_line_to(ink->canvas, box->x, box->y + box->height);
    cairo_stroke(ink->canvas);
    cairo_set_dash(ink->canvas, NULL, 0, 0);
}

static void put_text(struct ink *ink, const struct ink_words *words)
{
    struct buf *out = ink->svg;
    buf_text(out, "<text");
    if (words->upwards)
        buf_print(out, " transform=\"rotate(-90 %d %d)\"", (int)words->x, (int)words->y);
    put_number(out, "x", words->x);
    put_number(out, "y", words->y);
    put_number(out, "textLength", ink_measure(ink, words->text));
    buf_print(out,
              " font-family=\"%s, Verdana, sans-serif\" font-size=\"%d\" fill=\"%s\" stroke=\"%s\" "
              "stroke-width=\"%d\" stroke-linejoin=\"round\" paint-order=\"stroke\">",
              ink->font, (int)TEXT_PIXELS, words->colour, ink->back, (int)HALO_PIXELS);
    picture_xml(out, words->text);
    buf_text(out, "</text>\n");
}

void ink_text(struct ink *ink, const struct ink_words *words)
{
    char visible[TEXT_MAX];
    if (ink->svg) {
        put_text(ink, words);
        return;
    }
    cairo_save(ink->canvas);
    cairo_move_to(ink->canvas, words->x, words->y);
    if (words->upwards)
        cairo_rotate(ink->canvas, -M_PI_2);
    cairo_text_path(ink->canvas, text_visible(visible, sizeof(visible), words->text, false));
    set_colour(ink, ink->back, 1);
    cairo_set_line_width(ink->canvas, HALO_PIXELS);
    cairo_set_line_join(ink->canvas, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke_preserve(ink->canvas);
    set_colour(ink, words->colour, 1);
    cairo_fill(ink->canvas);
    cairo_restore(ink->canvas);
}

double ink_measure(const struct ink *ink, const char *text)
{
    char visible[TEXT_MAX];
    cairo_text_extents_t extents;
    cairo_text_extents(ink->canvas, text_visible(visible, sizeof(visible), text, false), &extents);
    return extents.x_advance;
}
