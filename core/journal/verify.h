/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify - one verification under way, segment by segment. Internal to the room, and for tests that verify the same
 * beginning many times: it can be copied at any line. */
#ifndef JOURNAL_VERIFY_H
#define JOURNAL_VERIFY_H

#include "core/journal/chain.h"
#include "core/journal/journal.h"
#include "core/journal/seal_check.h"

struct verifier {
    struct journal_report *report;
    const struct journal_proof *proof;
    struct chain chain;
    struct seal_check seals;
    size_t next_anchor; /* the first that was not reached */
    uint64_t line;      /* the number of the last one */
};

void verify_begin(struct verifier *v, const struct journal_proof *proof, struct journal_report *report);
/* From where lines stand to their end; 0 or -errno. chain_begin_segment() first. */
int verify_lines(struct verifier *v, struct segment_lines *lines, bool is_last);
/* What is to be said of the journal as a whole. */
void verify_end(struct verifier *v);

#endif
