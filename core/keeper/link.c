/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link - see link.h. Reading: up to LINK_READ_BYTES an event, then every whole frame in the buffer is handed on.
 * Writing: as much as the socket takes; the rest waits for POLLOUT. What was written is taken out of the buffer when it
 * is half of it, so that a long answer is not moved for every piece that leaves. A handler may close its link at any
 * time: that is looked at after each call.
 *
 * A peer that is gone takes nothing any more, but what it had written is still in the socket, and only reading says
 * where that ends. So an error of writing ends the writing alone. When it left bytes of ours unread the kernel tells
 * that as POLLERR before all else; libuv then stops watching, and what is there is read in one go. */
#include "core/keeper/link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_READ_BYTES 65536u

static void end(struct link *link, const char *why)
{
    if (!link->closing)
        link->on_end(link, why);
}

static void poll_for(struct link *link, bool writing);

static void take_frames(struct link *link)
{
    size_t taken = 0;
    while (!link->closing) {
        struct wire_frame frame;
        int size = wire_next(link->in.data + taken, link->in.length - taken, &frame);
        if (size == 0)
            break;
        if (size < 0 || !link->on_frame(link, &frame)) {
            end(link, "protocol violation");
            return;
        }
        taken += (size_t)size;
    }
    if (!link->closing)
        buf_consume(&link->in, taken);
}

/* Whether to try again: false when nothing is there now, or nothing will ever be. */
static bool read_some(struct link *link)
{
    char *room = buf_room(&link->in, LINK_READ_BYTES);
    if (!room) {
        end(link, "frame too long");
        return false;
    }
    ssize_t n = read(link->fd, room, LINK_READ_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n <= 0) {
        end(link, NULL);
        return false;
    }
    link->in.length += (size_t)n;
    take_frames(link);
    return !link->closing;
}

size_t link_waiting(const struct link *link)
{
    return link->out.length - link->sent;
}

/* Nobody is there to read: what waits, and whatever comes, is dropped. */
static void stop_writing(struct link *link)
{
    link->deaf = true;
    link->sent = 0;
    buf_reset(&link->out);
}

static void drop_sent(struct link *link)
{
    if (link->sent < link->out.length - link->sent)
        return;
    buf_consume(&link->out, link->sent);
    link->sent = 0;
}

static void write_some(struct link *link)
{
    if (link->deaf)
        stop_writing(link);
    while (link_waiting(link) > 0) {
        ssize_t n = send(link->fd, link->out.data + link->sent, link_waiting(link), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            stop_writing(link);
        else
            link->sent += (size_t)n;
    }
    drop_sent(link);
    poll_for(link, link_waiting(link) > 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    if (status < 0) {
        while (read_some(link))
            ;
        end(link, NULL);
        return;
    }
    if (events & UV_WRITABLE)
        write_some(link);
    if ((events & UV_READABLE) && !link->closing)
        read_some(link);
}

static void poll_for(struct link *link, bool writing)
{
    if (writing == link->writing)
        return;
    link->writing = writing;
    uv_poll_start(&link->poll, UV_READABLE | (writing ? UV_WRITABLE : 0), on_poll);
}

int link_open(struct link *link, uv_loop_t *loop, struct links *dirty, int fd)
{
    link->fd = fd;
    link->links = dirty;
    link->in.max_bytes = WIRE_FRAME_MAX + WIRE_HEADER_SIZE + LINK_READ_BYTES;
    link->out.max_bytes = 3u * LINK_QUEUE_MAX; /* with what left already, and the frame that is one too many */
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    int failed = uv_poll_init(loop, &link->poll, fd);
    if (failed)
        return failed;
    link->poll.data = link;
    return uv_poll_start(&link->poll, UV_READABLE, on_poll);
}

void link_changed(struct link *link)
{
    if (link->dirty || link->closing)
        return;
    link->dirty = true;
    link->next_dirty = link->links->first;
    link->links->first = link;
}

void links_flush(struct links *links)
{
    while (links->first) {
        struct link *link = links->first;
        links->first = link->next_dirty;
        link->dirty = false;
        if (!link->closing && !link->writing)
            write_some(link);
        if (!link->closing && link_waiting(link) > LINK_QUEUE_MAX)
            end(link, "does not read what it is sent");
    }
}

static void undirty(struct link *link)
{
    for (struct link **at = &link->links->first; link->dirty && *at; at = &(*at)->next_dirty) {
        if (*at == link) {
            *at = link->next_dirty;
            break;
        }
    }
    link->dirty = false;
}

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    buf_close(&link->in);
    buf_close(&link->out);
    link->on_closed(link);
}

void link_close(struct link *link)
{
    if (link->closing)
        return;
    link->closing = true;
    undirty(link);
    uv_poll_stop(&link->poll);
    close(link->fd);
    link->fd = -1;
    uv_close((uv_handle_t *)&link->poll, on_closed);
}
