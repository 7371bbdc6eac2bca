/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream - bytes to and from a connected peer, written as straight-line code over belfry_wait(). */
#ifndef PLUGINS_COMMON_STREAM_H
#define PLUGINS_COMMON_STREAM_H

#include "belfry/plugin.h"
#include "plugins/common/net.h"

struct stream {
    struct belfry_probe *p;
    int fd; /* -1: not open */
};

/* Connects: 0, or a negative code with report->why. */
int stream_open(struct stream *s, struct belfry_probe *p, const struct net_target *target, struct net_report *report);
/* The number of bytes read (> 0), 0 at the peer's end, -ETIMEDOUT at the deadline or another negative errno. Each call
 * gives the other runs of the process their turn, so a flooding peer starves nobody. */
int64_t stream_read(struct stream *s, void *into, size_t size);
/* Writes everything: 0 or a negative errno. */
int stream_write(struct stream *s, const void *from, size_t size);
/* Accepts what stream_open() left behind in any case, and twice. */
void stream_close(struct stream *s);

#endif
