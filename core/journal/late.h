/* SPDX-License-Identifier: GPL-3.0-or-later */
/* late - a journal that could be read when it was opened, but not written: what opening has to change on disk is done
 * by the thread, as soon as the disk takes it. Until then records wait, as for any disk that takes nothing. Internal to
 * the room. */
#ifndef JOURNAL_LATE_H
#define JOURNAL_LATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/journal/recover.h"

struct journal;

struct late {
    struct recover_end end;         /* as it was read */
    struct journal_recovery report; /* of what was done, once it is done */
    _Atomic bool done;              /* the thread's */
    bool told;                      /* the caller's */
};

/* Whether an open that failed with this code is one for us. */
bool late_heals(int code);
/* Before the thread runs. */
void late_begin(struct journal *journal, const struct recover_end *end, int code);
bool late_waits(const struct journal *journal);
/* The thread's: 0 when nothing is left to be done, or why it can't be done yet. ERROR_REFUSED: what is on disk is not
 * what was read. */
int late_complete(struct journal *journal);

#endif
