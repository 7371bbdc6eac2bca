/* SPDX-License-Identifier: GPL-3.0-or-later */
/* error - names and texts of error codes, made from ERROR_LIST for ours and taken from the C library for -errno (its
 * untranslated tables), and the one way to write an explanation. */
#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

struct entry {
    const char *name, *text;
};

#define ERROR_ENTRY_(name, text) { #name, text },
static const struct entry entries[ERROR_COUNT] = { ERROR_LIST(ERROR_ENTRY_) };
#undef ERROR_ENTRY_

/* The row of one of our codes, or NULL. */
static const struct entry *find(int code)
{
    int index = ERROR_BASE_ - code;
    return code <= ERROR_BASE_ && index >= 0 && index < ERROR_COUNT ? &entries[index] : NULL;
}

const char *error_text(int code)
{
    const struct entry *entry = find(code);
    if (entry)
        return entry->text;
    const char *text = code > ERROR_BASE_ ? strerrordesc_np(code < 0 ? -code : code) : NULL;
    return text ? text : "unknown error";
}

const char *error_name(int code)
{
    const struct entry *entry = find(code);
    if (entry)
        return entry->name;
    const char *name = code > ERROR_BASE_ ? strerrorname_np(code < 0 ? -code : code) : NULL;
    return name ? name : "ERROR";
}

int why_say(struct why *why, int code, const char *format, ...)
{
    if (!why)
        return code;
    char raw[2 * sizeof why->text];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_visible(why->text, sizeof why->text, raw, false);
    return code;
}
