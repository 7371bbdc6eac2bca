/* SPDX-License-Identifier: GPL-3.0-or-later */
/* args - argv arrays for librrd. */
#include "core/recorder/args.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"

/* bytes of a text from outside; the rest is cut */
#define TEXT_MAX 512

void args_take(struct args *args, const char *text)
{
    if (args->count + 1 >= args->size) {
        int size = args->size ? args->size * 2 : 32;
        const char **v = arena_array(args->arena, (size_t)size, sizeof(*v));
        if (args->count)
            memcpy(v, args->v, (size_t)args->count * sizeof(*v));
        args->v = v;
        args->size = size;
    }
    args->v[args->count++] = text;
    args->v[args->count] = NULL;
}

void args_add(struct args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    args_take(args, arena_vprint(args->arena, format, list));
    va_end(list);
}

void args_plain(struct args *args, const char *prefix, const char *text)
{
    char visible[TEXT_MAX];
    args_take(args, arena_print(args->arena, "%s%s", prefix, text_visible(visible, sizeof(visible), text, false)));
}

void args_escaped(struct args *args, const char *prefix, const char *text)
{
    char visible[TEXT_MAX], escaped[2 * TEXT_MAX];
    size_t n = 0;
    text_visible(visible, sizeof(visible), text, false);
    for (const char *c = visible; *c; c++) {
        if (*c == ':')
            escaped[n++] = '\\';
        escaped[n++] = *c == '\\' ? '/' : *c;
    }
    escaped[n] = '\0';
    args_take(args, arena_print(args->arena, "%s%s", prefix, escaped));
}

void args_append(struct args *args, const char *text)
{
    const char **last = &args->v[args->count - 1];
    *last = arena_print(args->arena, "%s%s", *last, text);
}

const char *args_number(struct arena *arena, double value)
{
    if (!isfinite(value))
        return "U";
    const char *text = arena_print(arena, "%.10e", value);
    /* whatever the locale puts behind the first digit becomes a point */
    size_t head = text[0] == '-' ? 2 : 1;
    size_t gap = strcspn(text + head, "0123456789");
    return arena_print(arena, "%.*s.%s", (int)head, text, text + head + gap);
}
