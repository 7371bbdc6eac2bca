/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tend - what is done with finished segments when the journal's thread has nothing to write: they are compressed and
 * indexed, and by the retention that is configured the oldest one is offered to be dropped. Internal to the room. */
#ifndef JOURNAL_TEND_H
#define JOURNAL_TEND_H

#include <stdbool.h>

#include "core/journal/disk.h"
#include "core/journal/journal.h"
#include "core/journal/record.h"

struct tend;

struct tend *tend_open(const struct journal_disk *disk, int folder);
void tend_close(struct tend **tend);

/* ---- on the journal's thread */
/* A segment was finished: there may be something to do. */
void tend_wake(struct tend *tend);
/* Does some of it, milliseconds long, apart from waiting for the disk; false when there is nothing to do. */
bool tend_step(struct tend *tend);
/* Its journal.dropped record is on disk: removes the files. */
void tend_remove(struct tend *tend, const char *segment);

/* ---- on any thread */
void tend_set_keep(struct tend *tend, const struct journal_keep *keep);
/* The segment that is to be dropped; false: none. */
bool tend_ripe(const struct tend *tend, struct record_dropped *out);
/* The same, and it is not offered any more: tend_remove() comes. */
bool tend_take(struct tend *tend, struct record_dropped *out);

#endif
