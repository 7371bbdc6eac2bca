/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf - grows by doubling. When something does not fit below the bound, what fits is kept and everything after it is
 * dropped until the next reset, so that no hole appears in the middle. */
#include "core/base/buf.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/base/utf8.h"

#define DEFAULT_MAX_BYTES (64u << 20)
#define FIRST_SIZE 256u

static size_t bound_of(const struct buf *buf)
{
    return buf->max_bytes ? buf->max_bytes : DEFAULT_MAX_BYTES;
}

/* How many of n more bytes may be stored; memory for them and the NUL is there afterwards. */
static size_t grow(struct buf *buf, size_t n)
{
    size_t bound = bound_of(buf), after = buf->length + n;
    if (!buf->overflowed && after < buf->size && after <= bound && after >= n)
        return n; /* mostly */
    size_t left = buf->overflowed || buf->length >= bound ? 0 : bound - buf->length;
    if (n > left) {
        n = left;
        buf->overflowed = true;
    }
    size_t need = buf->length + n + 1;
    if (need > buf->size) {
        size_t size = buf->size ? buf->size : FIRST_SIZE;
        while (size < need)
            size *= 2;
        buf->data = heap_grow(buf->data, size, 1);
        buf->size = size;
        buf->data[buf->length] = '\0';
    }
    return n;
}

void buf_close(struct buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (struct buf){ .max_bytes = buf->max_bytes };
}

void buf_reset(struct buf *buf)
{
    buf->length = 0;
    buf->overflowed = false;
    grow(buf, 0);
    buf->data[0] = '\0';
}

void buf_consume(struct buf *buf, size_t n)
{
    assert(n <= buf->length);
    if (n == 0)
        return;
    buf->length -= n;
    memmove(buf->data, buf->data + n, buf->length + 1);
}

char *buf_room(struct buf *buf, size_t n)
{
    if (grow(buf, n) < n)
        return NULL;
    buf->data[buf->length + n] = '\0';
    return buf->data + buf->length;
}

void buf_add(struct buf *buf, const void *bytes, size_t n)
{
    n = grow(buf, n);
    if (n)
        memcpy(buf->data + buf->length, bytes, n);
    buf->length += n;
    buf->data[buf->length] = '\0';
}

void buf_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_print(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    grow(buf, 0);
    int wanted = vsnprintf(buf->data + buf->length, buf->size - buf->length, format, args);
    size_t length = wanted > 0 ? (size_t)wanted : 0;
    buf->data[buf->length] = '\0';
    size_t fits = grow(buf, length);
    vsnprintf(buf->data + buf->length, fits + 1, format, again);
    buf->length += fits;
    buf->data[buf->length] = '\0';
    va_end(again);
    va_end(args);
}

/* Characters that JSON wants escaped, and those that must not reach a terminal by way of `tail -f`. */
static bool must_escape(uint32_t code)
{
    return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7F && code < 0xA0);
}

static void add_escape(struct buf *buf, uint32_t code)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if (code == (unsigned char)letters[i]) {
            buf_char(buf, '\\');
            buf_char(buf, letters[i + 1]);
            return;
        }
    }
    buf_print(buf, "\\u%04x", (unsigned)code);
}

void buf_json_text(struct buf *buf, const char *text)
{
    if (!text) {
        buf_text(buf, "null");
        return;
    }
    buf_char(buf, '"');
    const char *plain = text; /* start of what is copied as it is */
    while (*text) {
        uint32_t code = 0;
        size_t n = utf8_next(text, &code);
        if (n && !must_escape(code)) {
            text += n;
            continue;
        }
        buf_add(buf, plain, (size_t)(text - plain));
        if (n)
            add_escape(buf, code);
        else
            buf_text(buf, UTF8_REPLACEMENT);
        text += n ? n : 1;
        plain = text;
    }
    buf_add(buf, plain, (size_t)(text - plain));
    buf_char(buf, '"');
}

void buf_json_number(struct buf *buf, double value)
{
    char text[TEXT_NUMBER_SIZE];
    if (!isfinite(value))
        buf_text(buf, "null");
    else if (value == 0 && signbit(value))
        buf_text(buf, "-0.0"); /* "-0" is an integer to some readers and loses its sign */
    else
        buf_text(buf, text_format_number(text, value));
}

void buf_json_integer(struct buf *buf, int64_t value)
{
    buf_print(buf, "%lld", (long long)value);
}
