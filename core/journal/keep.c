/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keep - the caller's side of retention: what core/journal/tend.c offers is recorded as journal.dropped, and its files
 * go when that record, and all that was recorded until the removal was asked for, is on disk. */
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/journal/tend.h"
#include "core/journal/writer.h"

struct removal {
    struct tend *tend;
    char segment[SEGMENT_NAME_SIZE];
};

static void nothing(void *context, bool durable)
{
    (void)context;
    (void)durable;
}

void journal_set_keep(struct journal *journal, const struct journal_keep *keep)
{
    struct tend *tend = writer_tend(journal);
    if (tend == NULL)
        return;
    tend_set_keep(tend, keep);
    journal_after(journal, 0, nothing, NULL); /* wakes the thread */
}

bool journal_ripe(const struct journal *journal, uint64_t *last_seq)
{
    struct record_dropped dropped;
    const struct tend *tend = writer_tend(journal);
    if (tend == NULL || !tend_ripe(tend, &dropped))
        return false;
    *last_seq = segment_first_seq(dropped.next) - 1;
    return true;
}

uint64_t journal_drop(struct journal *journal, int64_t wall_ms)
{
    struct record_dropped dropped;
    struct buf members = { 0 };
    if (!tend_ripe(writer_tend(journal), &dropped))
        return 0;
    record_compose_dropped(&members, &dropped);
    uint64_t seq = journal_append(journal, wall_ms, RECORD_DROPPED, "journal", members.data);
    buf_close(&members);
    return seq;
}

static void remove_segment(void *context, bool durable)
{
    struct removal *removal = context;
    if (durable)
        tend_remove(removal->tend, removal->segment);
    free(removal);
}

void journal_drop_files(struct journal *journal)
{
    struct record_dropped dropped;
    struct removal *removal = heap_alloc(sizeof *removal);
    removal->tend = writer_tend(journal);
    if (!tend_take(removal->tend, &dropped)) {
        free(removal);
        return;
    }
    text_copy(removal->segment, sizeof removal->segment, dropped.segment);
    journal_after(journal, journal_last(journal), remove_segment, removal);
}
