/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run - from the start of a run to its result.
 *
 * run_execute() stays on the stack beneath the plugin's run(), be it a coroutine's, a thread's or the program's own. A
 * run that asks for more memory than it may have is ended by a jump back there: belfry_alloc() never returns NULL, so
 * there is nothing else that it could return. */
#include "core/worker/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

void run_begin(struct run *run, const struct run_order *order)
{
    struct buf detail = run->detail;
    buf_reset(&detail);
    memset(run, 0, sizeof(*run));
    run->detail = detail;
    run->probe.host = &run_functions;
    run->host = order->host;
    run->plugin = order->plugin;
    run->values = order->values;
    run->id = order->id;
    run->arena = order->arena;
    run->resolver = order->resolver;
    run->start_ns = order->start_ns;
    run->deadline_ns = order->deadline_ns;
    if (order->kept != NULL)
        kept_begin(run, order->kept);
}

void run_close(struct run *run)
{
    buf_close(&run->detail);
}

void run_execute(struct run *run)
{
    /* a run that had to queue until its deadline has no time left to do anything */
    if (clock_now_ns() < run->deadline_ns && _setjmp(run->end) == 0)
        run->plugin->plugin->run(&run->probe);
    report_finish(run);
}

/* Ends the run at once: returns into run_execute(). */
_Noreturn static void end(struct run *run)
{
    _longjmp(run->end, 1);
}

void run_refuse(struct result *out, const char *why)
{
    *out = (struct result){ .end = RESULT_MISUSE, .state = BELFRY_UNKNOWN, .text = why };
}

void run_misuse(struct run *run, const char *format, ...)
{
    if (run->misuse != NULL)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    run->misuse = run_line(run, RESULT_TEXT_MAX, text);
}

_Static_assert(RUN_MEMORY_MAX == 16u << 20, "the text below says so");

void *run_memory(struct run *run, size_t size)
{
    if (size > RUN_MEMORY_MAX - run->memory_bytes) {
        if (run->misuse == NULL)
            run->misuse = "run() asked for more than 16 MiB of memory";
        end(run);
    }
    run->memory_bytes += size;
    return arena_alloc(run->arena, size ? size : 1);
}

void *run_grow(struct run *run, void *items, uint32_t count, uint32_t *size, size_t item_bytes)
{
    if (count < *size)
        return items;
    *size = *size ? *size * 2 : 8;
    void *more = arena_array(run->arena, *size, item_bytes);
    if (count > 0)
        memcpy(more, items, count * item_bytes);
    return more;
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

#define LINE_MAX 1024u
_Static_assert(RESULT_TEXT_MAX <= LINE_MAX && RESULT_PART_MAX <= LINE_MAX, "run_vline() has room for every line");

/* The bytes of text that stay when it is cut to n: never a part of a UTF-8 character. */
static size_t cut_length(const char *text, size_t n)
{
    size_t back = 0;
    while (back < 4 && back < n && ((unsigned char)text[n - back] & 0xC0) == 0x80)
        back++;
    return ((unsigned char)text[n - back] & 0xC0) == 0x80 ? n : n - back;
}

/* Line breaks and tabs become spaces; false when something else is not plain ASCII. */
static bool flatten(char *text)
{
    bool plain = true;
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r' || *c == '\t' || *c == '\v' || *c == '\f')
            *c = ' ';
        plain &= *c >= 0x20 && *c < 0x7F;
    }
    return plain;
}

static const char *keep_text(struct run *run, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(run_memory(run, size), text, size);
}

/* text is max_bytes + 1 long when it was cut, and is changed in place. */
static const char *keep_line(struct run *run, size_t max_bytes, char *text, bool cut)
{
    if (cut) {
        run->result.truncated = true;
        text[cut_length(text, max_bytes)] = '\0';
    }
    if (flatten(text))
        return keep_text(run, text);
    char visible[LINE_MAX + 1];
    return keep_text(run, text_visible(visible, max_bytes + 1, text, false));
}

const char *run_vline(struct run *run, size_t max_bytes, const char *format, va_list args)
{
    char text[LINE_MAX + 2];
    int n = vsnprintf(text, max_bytes + 2, format, args);
    if (n < 0) { /* more than INT_MAX bytes, or a conversion that failed: what is there may be anything */
        run->result.truncated = true;
        return "(text that can't be formatted)";
    }
    return keep_line(run, max_bytes, text, (size_t)n > max_bytes);
}

const char *run_line(struct run *run, size_t max_bytes, const char *source)
{
    char text[LINE_MAX + 2];
    size_t n = 0;
    for (; n <= max_bytes && source[n] != '\0'; n++)
        text[n] = source[n];
    text[n] = '\0';
    return keep_line(run, max_bytes, text, n > max_bytes);
}
