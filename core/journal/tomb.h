/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tomb - where a journal begins whose first segments were dropped: found by the journal.dropped record, from which what
 * checks the journal takes what it would know if it had read them. Internal to the room. */
#ifndef JOURNAL_TOMB_H
#define JOURNAL_TOMB_H

#include "core/journal/chain.h"
#include "core/journal/journal.h"
#include "core/journal/record.h"
#include "core/journal/seal_check.h"

struct tomb {
    uint64_t seq; /* of the journal.dropped record, 0: there is none */
    int64_t wall_ms;
    struct record_dropped dropped;
};

/* The newest one that says that this segment is the first; 0 (also when there is none) or a negative code. */
int tomb_find(int folder, const char *first, struct tomb *out);
/* Before that segment is begun. */
void tomb_seed_chain(const struct tomb *tomb, struct chain *chain);
void tomb_seed_seals(const struct tomb *tomb, struct seal_check *check);

#endif
