/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream - bytes to and from a connected peer, written as straight-line code over belfry_wait(). A stream may be put
 * into TLS at any time after it was opened: see tls.h, a library of its own, so that who needs no TLS links none. */
#ifndef PLUGINS_COMMON_STREAM_H
#define PLUGINS_COMMON_STREAM_H

#include "belfry/plugin.h"
#include "plugins/common/net.h"

struct stream;

/* What takes over a stream's bytes: the functions do as those below. */
struct stream_layer {
    int64_t (*read)(struct stream *s, void *into, size_t size);
    int (*write)(struct stream *s, const void *from, size_t size);
    void (*close)(struct stream *s);
};

struct stream {
    struct belfry_probe *p;
    int fd;                           /* -1: not open */
    double until;                     /* now_s() at which waits end with -ETIMEDOUT; 0: only the run's deadline */
    const struct stream_layer *layer; /* NULL: plain */
    void *layer_state;
    const char *why; /* what the layer says of its last failure, or NULL */
};

/* Connects: 0, or a negative code with report->why. target->until becomes the stream's. */
int stream_open(struct stream *s, struct belfry_probe *p, const struct net_target *target, struct net_report *report);
/* The number of bytes read (> 0), 0 at the peer's end, -ETIMEDOUT at the deadline or another negative errno. Each call
 * gives the other runs of the process their turn, so a flooding peer starves nobody. */
int64_t stream_read(struct stream *s, void *into, size_t size);
/* Writes everything: 0 or a negative errno. */
int stream_write(struct stream *s, const void *from, size_t size);
/* The words for a negative code of the two: "connection reset by peer". */
const char *stream_error(const struct stream *s, int64_t error);
/* Waits for the descriptor as belfry_wait() does, but no longer than the stream's limit. */
int stream_wait(struct stream *s, short events);
/* Accepts what stream_open() left behind in any case, and twice. */
void stream_close(struct stream *s);

#endif
