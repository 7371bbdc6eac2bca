/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link - frames over a non-blocking socket on the keeper's loop: to a child, or to a client of the control socket. What
 * is written is gathered and leaves in one write at the end of the loop's iteration. */
#ifndef KEEPER_LINK_H
#define KEEPER_LINK_H

#include <stdbool.h>
#include <uv.h>

#include "core/base/buf.h"
#include "core/base/wire.h"

/* Unwritten bytes beyond which a peer that does not read is given up: more than the largest frame. */
#define LINK_QUEUE_MAX (64u << 20)

struct link;

struct links {
    struct link *first;
};

/* Embed it; the owner is freed from on_closed only. */
struct link {
    uv_poll_t poll;
    int fd; /* -1 when closed */
    bool writing, dirty, closing;
    bool deaf; /* the peer takes nothing any more; it is read to its end all the same */
    struct buf in, out;
    size_t sent;         /* bytes of out that left already */
    struct links *links; /* the list of dirty ones */
    struct link *next_dirty;
    void *owner;
    /* A frame arrived; false: it breaks the protocol, and the link is ended. */
    bool (*on_frame)(struct link *link, struct wire_frame *frame);
    /* The peer ended (why NULL), and all that it had written was handed on; or it broke the protocol. The owner then
     * calls link_close(). */
    void (*on_end)(struct link *link, const char *why);
    /* After link_close(), once the loop lets go of it. */
    void (*on_closed)(struct link *link);
};

/* Takes over fd. owner and the callbacks are set by the caller before. 0 or a negative code. */
int link_open(struct link *link, uv_loop_t *loop, struct links *dirty, int fd);
/* Bytes that wait to be written. */
size_t link_waiting(const struct link *link);
/* After appending frames to link->out. */
void link_changed(struct link *link);
/* Writes what every dirty link has. */
void links_flush(struct links *links);
void link_close(struct link *link);

#endif
