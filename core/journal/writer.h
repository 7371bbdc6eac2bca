/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer - journal_open() on a disk that a test may put in its place. Internal to the room. */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "core/journal/disk.h"
#include "core/journal/journal.h"

struct writer_open {
    const struct journal_disk *disk; /* outlives the journal; is called by the opener and then by the thread only */
    const struct journal_options *options;
    uint64_t after;
    journal_visit visit;
    void *context;
    int64_t retry_ms; /* after a write that failed; 0: a second */
};
struct tend *writer_tend(const struct journal *journal);
int writer_open(const struct writer_open *request, struct journal **out, struct journal_recovery *recovery,
                struct why *why);

#endif
