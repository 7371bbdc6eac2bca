/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compose - a page of pictures.
 *
 * PNG: painted by cairo, with which librrd drew them, into one image. SVG: the content of each becomes a group that is
 * moved down; the names in it ("glyph-0-1", referred to by "#glyph-0-1"), which are the same in every picture, get the
 * picture's number. */
#include "core/recorder/compose.h"

#include <cairo.h>
#include <string.h>

#include "core/recorder/ink.h"
#include "core/recorder/picture.h"

static int total_height(const struct compose *page)
{
    int height = 0;
    for (uint32_t i = 0; i < page->count; i++)
        height += page->images[i].height;
    return height;
}

/* ---- SVG -------------------------------------------------------------------------------------------------------- */

/* Copies text, in which every name gets the picture's number: id="x", "#x" and url(#x). */
static void copy_renamed(struct buf *out, const char *text, size_t n, uint32_t number)
{
    static const char *const marks[] = { " id=\"", "\"#", "url(#" };
    const char *end = text + n, *copied = text;
    for (const char *at = text; at < end; at++) {
        for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
            size_t length = strlen(marks[i]);
            if ((size_t)(end - at) < length || memcmp(at, marks[i], length) != 0)
                continue;
            buf_add(out, copied, (size_t)(at + length - copied));
            buf_print(out, "p%u-", number);
            copied = at + length;
            at = copied - 1;
            break;
        }
    }
    buf_add(out, copied, (size_t)(end - copied));
}

/* What stands between <svg ...> and </svg>: NULL when that can't be found. Its <desc> is text of people, in which
 * nothing is renamed, and comes first. */
static const char *find_content(const struct buf *image, const char **drawing, const char **end)
{
    const char *bytes = image->data, *stop = bytes + image->length;
    const char *tag = memmem(bytes, image->length, "<svg", 4);
    const char *content = tag ? memchr(tag, '>', (size_t)(stop - tag)) : NULL;
    if (!content)
        return NULL;
    const char *words = memmem(content, (size_t)(stop - content), "</desc>", 7);
    *drawing = words ? words + 7 : content + 1;
    *end = NULL;
    for (const char *at = *drawing; (at = memmem(at, (size_t)(stop - at), "</svg>", 6)) != NULL; at++)
        *end = at;
    return *end ? content + 1 : NULL;
}

static int compose_svg(const struct compose *page, struct buf *out, struct why *why)
{
    int height = total_height(page), y = 0;
    picture_head(out, page->width, height);
    buf_text(out, "<title>");
    picture_xml(out, page->title);
    buf_print(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", page->width, height,
              picture_background(page->dark));
    for (uint32_t i = 0; i < page->count; i++) {
        const char *drawing, *end, *content = find_content(&page->images[i].bytes, &drawing, &end);
        if (!content)
            return why_say(why, ERROR_DAMAGED, "librrd's picture is no SVG");
        buf_print(out, "<g transform=\"translate(0,%d)\">", y);
        buf_add(out, content, (size_t)(drawing - content));
        copy_renamed(out, drawing, (size_t)(end - drawing), i);
        buf_text(out, "</g>\n");
        y += page->images[i].height;
    }
    buf_text(out, "</svg>\n");
    return out->overflowed ? why_say(why, ERROR_LIMIT, "the picture is too large") : 0;
}

/* ---- PNG -------------------------------------------------------------------------------------------------------- */

static cairo_status_t paint(cairo_t *canvas, const struct compose_image *image, int y)
{
    cairo_surface_t *picture = ink_read_png(image->bytes.data, image->bytes.length);
    cairo_status_t status = cairo_surface_status(picture);
    if (status == CAIRO_STATUS_SUCCESS) {
        cairo_set_source_surface(canvas, picture, 0, y);
        cairo_paint(canvas);
        status = cairo_status(canvas);
    }
    cairo_surface_destroy(picture);
    return status;
}

static int compose_png(const struct compose *page, struct buf *out, struct why *why)
{
    int y = 0;
    cairo_surface_t *whole = cairo_image_surface_create(CAIRO_FORMAT_RGB24, page->width, total_height(page));
    cairo_t *canvas = cairo_create(whole);
    cairo_status_t status = cairo_status(canvas);
    for (uint32_t i = 0; status == CAIRO_STATUS_SUCCESS && i < page->count; i++) {
        status = paint(canvas, &page->images[i], y);
        y += page->images[i].height;
    }
    cairo_destroy(canvas);
    if (status == CAIRO_STATUS_SUCCESS)
        status = ink_write_png(whole, out);
    cairo_surface_destroy(whole);
    if (status == CAIRO_STATUS_SUCCESS)
        return 0;
    return why_say(why, ERROR_DAMAGED, "cairo can't compose it: %s", cairo_status_to_string(status));
}

int compose_page(const struct compose *page, struct buf *out, struct why *why)
{
    if (page->count == 1) {
        buf_add(out, page->images[0].bytes.data, page->images[0].bytes.length);
        return out->overflowed ? ERROR_LIMIT : 0;
    }
    return page->svg ? compose_svg(page, out, why) : compose_png(page, out, why);
}
