/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cached - a client of rrdcached on this machine: updates, and having them written. Answers are awaited, at most
 * CACHED_WAIT_MS each; a daemon that is away is tried again after CACHED_RETRY_MS. That an update was taken means that
 * the daemon remembers it, not that the file has it: whoever must know reads the file. */
#ifndef RECORDER_CACHED_H
#define RECORDER_CACHED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/recorder/args.h"

#define CACHED_WAIT_MS 5000
#define CACHED_RETRY_MS 1000
#define CACHED_NOTE ".rrdcached" /* in the rrd folder: the socket's path, for those who read the files */

struct cached {
    const char *socket_path; /* borrowed */
    int fd;                  /* -1: not connected */
    int64_t retry_ms;        /* not before; monotonic */
    uint32_t generation;     /* counts the connections: what an earlier one was told may be forgotten */
    struct buf in, out;
};

void cached_open(struct cached *cached, const char *socket_path);
/* Whether there is a connection; makes one when it is time to. */
bool cached_is_there(struct cached *cached, int64_t mono_ms);
/* rows: "SECONDS:v1:v2..." with a value for each source of the file, in its order; what is not later than the daemon's
 * last row is skipped. 0, -errno (the connection is lost), or ERROR_REFUSED. */
int cached_update(struct cached *cached, const char *path, const struct args *rows, struct why *why);
/* Has what the daemon remembers of the file written; it is when this returns 0. */
int cached_flush(struct cached *cached, const char *path, struct why *why);
/* Flushed, and the daemon knows nothing of the file any more: it is to be replaced. */
int cached_release(struct cached *cached, const char *path, struct why *why);
void cached_close(struct cached *cached);

/* Tells readers of the folder's files where the daemon listens; NULL: there is none. */
int cached_leave_note(const char *folder, const char *socket_path);
/* Whether there is one: readers then need unix sockets. */
bool cached_is_noted(struct arena *arena, const char *folder);
/* For readers: connects to the daemon that the note in the folder names. False when there is none. */
bool cached_open_noted(struct cached *cached, struct arena *arena, const char *folder, int64_t mono_ms);

#endif
