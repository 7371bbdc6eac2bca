/* SPDX-License-Identifier: GPL-3.0-or-later */
/* live - the segment that is being written, as the journal's thread sees it. Internal to the room. */
#ifndef JOURNAL_LIVE_H
#define JOURNAL_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/journal/disk.h"

struct live {
    const struct journal_disk *disk;
    int folder, fd; /* fd -1: none yet */
    uint64_t size;  /* what we gave it */
    bool dirty;     /* written since the last sync, */
    bool created;   /* and created since then */
};

/* All return 0 or a negative code. After a failed create or write nothing is lost and it may be tried again, but for
 * ERROR_REFUSED: the file is not as we left it. After a failed sync nothing may be written any more. */
int live_create(struct live *live, const char *name);
/* Goes on with one that has so many bytes. */
int live_open(struct live *live, const char *name, uint64_t size);
/* Writes what is behind *done of the bytes, and moves *done by what the system took. */
int live_write(struct live *live, const char *bytes, size_t n, size_t *done);
/* What was written is on disk, and so is its name. */
int live_sync(struct live *live);
/* The folder itself is on disk, which may just have been made. */
int live_sync_parent(const struct live *live);
void live_close(struct live *live);

#endif
