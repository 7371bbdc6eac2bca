/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unpack - a packed file, unpacked while it is read: gzip, zstd, xz by their libraries. Nothing is kept but one buffer,
 * so the size of what is inside doesn't matter. */
#ifndef PLUGINS_BACKUP_UNPACK_H
#define PLUGINS_BACKUP_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void unpack_sink(void *context, const unsigned char *bytes, size_t count);

struct unpack {
    const char *format; /* "gzip", or NULL: bytes pass as they are */
    void *stream;
    const struct unpack_format *by;
    unpack_sink *sink;
    void *context;
    unsigned char *out;
    bool between;    /* a member has ended, and another may follow */
    bool padded;     /* only zeros since */
    const char *why; /* what is wrong with it, or NULL */
};

/* Chooses by the first bytes. False when there is no memory for it, or the library is missing: why is set. */
bool unpack_open(struct unpack *u, const unsigned char *head, size_t count, unpack_sink *sink, void *context);
/* False once it is broken: why is set. */
bool unpack_feed(struct unpack *u, const unsigned char *bytes, size_t count);
/* After the last byte: false when the end is missing. */
bool unpack_end(struct unpack *u);
void unpack_close(struct unpack *u);

#endif
