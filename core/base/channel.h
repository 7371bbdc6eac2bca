/* SPDX-License-Identifier: GPL-3.0-or-later */
/* channel - frames over a blocking descriptor, for processes that have no event loop (command line, recorder, helper
 * processes). The keeper and the worker have their own non-blocking readers on wire_next(). */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/wire.h"

/* Zero it, set fd. */
struct channel {
    int fd;
    struct buf in;
    size_t taken; /* bytes of the last frame, dropped at the next read */
};

void channel_close(struct channel *channel); /* frees, closes fd, sets it to -1 */
/* Waits for one frame until the deadline (monotonic ms, -1: for ever): 1 with *frame valid until the next call, 0 at
 * end of file between frames, -ETIMEDOUT, ERROR_PROTOCOL (also for an end inside a frame), or -errno. */
int channel_read(struct channel *channel, struct wire_frame *frame, int64_t deadline_ms);
/* Writes all of out and resets it; 0 or -errno (SIGPIPE never). */
int channel_write(struct channel *channel, struct buf *out, int64_t deadline_ms);
/* Connects to a unix stream socket; the descriptor or -errno. */
int channel_connect(const char *path);

#endif
