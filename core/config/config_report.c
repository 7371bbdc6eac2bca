/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_report - collects the errors of a configuration.
 *
 * A mistake in a template shows up in each check that uses it; it is reported once. A line whose text is wrong (a
 * number that doesn't fit, an escape that doesn't exist) is reported for that alone: the value libconfig makes of it
 * says nothing. CONFIG_ERRORS_MAX errors are kept, all are counted. */
#include "core/config/config_report.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"

#define SHOWN_BYTES 1024

void report_close(struct report *report)
{
    map_close(&report->said);
    map_close(&report->broken_lines);
    arena_close(&report->arena);
}

/* True when key was not in the map yet. */
static bool first_time(struct report *report, struct map *map, const char *key)
{
    if (map_get(map, key))
        return false;
    map_put(map, arena_text(&report->arena, key), report);
    return true;
}

static void keep(struct config_errors *errors, struct place place, const char *text)
{
    if (errors->count < CONFIG_ERRORS_MAX) {
        struct config_error *error = &errors->items[errors->count];
        error->place.file = arena_text(&errors->arena, place.file);
        error->place.line = place.line;
        error->text = arena_text(&errors->arena, text);
    }
    errors->count++;
}

static void add(struct report *report, struct place place, const char *format, va_list args)
{
    char raw[SHOWN_BYTES], text[SHOWN_BYTES], key[SHOWN_BYTES + PATH_MAX];
    vsnprintf(raw, sizeof(raw), format, args);
    text_visible(text, sizeof(text), raw, false);
    snprintf(key, sizeof(key), "%s:%d: %s", place.file, place.line, text);
    if (first_time(report, &report->said, key))
        keep(report->errors, place, text);
}

void config_errors_add(struct config_errors *errors, struct place place, const char *format, ...)
{
    char raw[SHOWN_BYTES], text[SHOWN_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    keep(errors, place, text_visible(text, sizeof(text), raw, false));
}

struct line_key {
    char text[PATH_MAX + 16];
};

static struct line_key line_key(struct place place)
{
    struct line_key key;
    snprintf(key.text, sizeof(key.text), "%s:%d", place.file, place.line);
    return key;
}

void report_error(struct report *report, struct place place, const char *format, ...)
{
    va_list args;
    if (map_get(&report->broken_lines, line_key(place).text))
        return;
    va_start(args, format);
    add(report, place, format, args);
    va_end(args);
}

void report_broken(struct report *report, struct place place, const char *format, ...)
{
    va_list args;
    if (!first_time(report, &report->broken_lines, line_key(place).text))
        return;
    va_start(args, format);
    add(report, place, format, args);
    va_end(args);
}

static int by_place(const void *a, const void *b)
{
    const struct config_error *x = a, *y = b;
    int files = strcmp(x->place.file, y->place.file);
    if (files != 0)
        return files;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    return strcmp(x->text, y->text);
}

static uint32_t stored(const struct config_errors *errors)
{
    return errors->count < CONFIG_ERRORS_MAX ? errors->count : CONFIG_ERRORS_MAX;
}

void report_sort(struct report *report)
{
    qsort(report->errors->items, stored(report->errors), sizeof(struct config_error), by_place);
}

void config_errors_close(struct config_errors *errors)
{
    if (!errors)
        return;
    arena_close(&errors->arena);
    errors->count = 0;
}

char *config_error_text_line(struct arena *arena, const struct config_error *error)
{
    if (error->place.line > 0)
        return arena_print(arena, "%s:%d: %s", error->place.file, error->place.line, error->text);
    return arena_print(arena, "%s: %s", error->place.file, error->text);
}

void config_errors_print(const struct config_errors *errors, struct buf *out)
{
    struct arena arena = { 0 };
    for (uint32_t i = 0; i < stored(errors); i++)
        buf_print(out, "%s\n", config_error_text_line(&arena, &errors->items[i]));
    if (errors->count > CONFIG_ERRORS_MAX)
        buf_print(out, "and %u more\n", errors->count - CONFIG_ERRORS_MAX);
    arena_close(&arena);
}
