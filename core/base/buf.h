/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf - a growable byte buffer, and the one JSON writer for text that is composed rather than built by jansson.
 *
 * Invariants: data is never NULL after the first use and always has a NUL behind the last byte; length counts
 * without it; at most max_bytes are stored: what goes beyond is dropped and overflowed is set. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t length, size;
    size_t max_bytes; /* 0: 64 MiB */
    bool overflowed;
};

void buf_close(struct buf *buf);
/* Empties it and keeps the memory. */
void buf_reset(struct buf *buf);
/* Removes the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
/* Room for n more bytes behind the data (write there, then add to length); NULL when over the bound. */
char *buf_room(struct buf *buf, size_t n);

void buf_add(struct buf *buf, const void *bytes, size_t n);
void buf_text(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_print(struct buf *buf, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/* "text" as a JSON string with quotes; invalid UTF-8 and lone surrogates become U+FFFD, control characters \uXXXX.
 * NULL becomes null. */
void buf_json_text(struct buf *buf, const char *text);
/* A number that parses back to the same double, without the locale; NaN and infinities become null. */
void buf_json_number(struct buf *buf, double value);
void buf_json_integer(struct buf *buf, int64_t value);

#endif
