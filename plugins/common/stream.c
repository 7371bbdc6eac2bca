/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream - bytes to and from a connected peer over belfry_wait(). */
#include "plugins/common/stream.h"

#include <errno.h>
#include <unistd.h>

int stream_open(struct stream *s, struct belfry_probe *p, const struct net_target *target, struct net_report *report)
{
    s->p = p;
    s->fd = net_connect(p, target, report);
    return s->fd < 0 ? s->fd : 0;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

int64_t stream_read(struct stream *s, void *into, size_t size)
{
    for (;;) {
        int ready = belfry_wait(s->p, s->fd, POLLIN, -1);
        if (ready < 0)
            return ready;
        ssize_t n = recv(s->fd, into, size, 0);
        if (n >= 0)
            return n;
        if (!is_passing(errno))
            return -errno;
    }
}

int stream_write(struct stream *s, const void *from, size_t size)
{
    const char *bytes = from;
    while (size > 0) {
        ssize_t n = send(s->fd, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && !is_passing(errno))
            return -errno;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
            continue;
        }
        int ready = belfry_wait(s->p, s->fd, POLLOUT, -1);
        if (ready < 0)
            return ready;
    }
    return 0;
}

void stream_close(struct stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
