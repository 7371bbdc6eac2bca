/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal_check - verify's side of sealing: whether the seals follow each other, are made with the right keys, and whether
 * everything behind the first one is sealed in time. Internal to the room; the rules are told in
 * doc/journal-format.md. */
#ifndef JOURNAL_SEAL_CHECK_H
#define JOURNAL_SEAL_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/journal/chain.h"
#include "core/journal/journal.h"
#include "core/journal/key.h"

/* Zero it, set proof. May be copied at any time: it owns nothing. */
struct seal_check {
    const struct journal_proof *proof;
    struct key key;    /* of key_count, evolved */
    size_t keys_used;  /* the first so many have been begun */
    uint64_t steps;    /* by which keys were evolved, all in all */
    bool any, stopped; /* there was a seal; it was a clean stop, and nothing is behind it */
    bool late_told;    /* of the records behind the last seal one was reported */
    bool key_told;     /* why a seal is not of the key was looked into once */
    uint64_t begun;    /* how often sealing was begun */
    uint64_t epoch;    /* of the last seal, */
    int64_t at_ms;     /* its time, */
    uint64_t every_s;  /* and its promise */
    uint64_t seals, held, unsealed;
};

/* A record that stands by itself; *fault, zeroed, may get one. */
void seal_check_take(struct seal_check *check, const struct chain *chain, const struct segment_line *line,
                     const struct record *record, struct chain_fault *fault);
/* At the end: calls note for each fault of the journal as a whole. */
void seal_check_end(const struct seal_check *check, void (*note)(void *context, const struct chain_fault *fault),
                    void *context);

#endif
