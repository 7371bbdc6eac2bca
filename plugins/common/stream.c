/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream - bytes to and from a connected peer over belfry_wait(). */
#include "plugins/common/stream.h"

#include <errno.h>
#include <unistd.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

int stream_open(struct stream *s, struct belfry_probe *p, const struct net_target *target, struct net_report *report)
{
    *s = (struct stream){ .p = p, .fd = net_connect(p, target, report), .until = target->until };
    return s->fd < 0 ? s->fd : 0;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

int stream_wait(struct stream *s, short events)
{
    int ready = belfry_wait(s->p, s->fd, events, now_left_ms(s->until));
    return ready == 0 ? -ETIMEDOUT : ready;
}

int64_t stream_read(struct stream *s, void *into, size_t size)
{
    if (s->layer)
        return s->layer->read(s, into, size);
    for (;;) {
        int ready = stream_wait(s, POLLIN);
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
    if (s->layer)
        return s->layer->write(s, from, size);
    while (size > 0) {
        ssize_t n = send(s->fd, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && !is_passing(errno))
            return -errno;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
            continue;
        }
        int ready = stream_wait(s, POLLOUT);
        if (ready < 0)
            return ready;
    }
    return 0;
}

const char *stream_error(const struct stream *s, int64_t error)
{
    return s->why ? s->why : say_error(s->p, (int)error);
}

void stream_close(struct stream *s)
{
    if (s->layer)
        s->layer->close(s);
    s->layer = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
