/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal - the daemon's side of sealing: a journal.sealed record at the end of each epoch, signed with that epoch's key,
 * which is then gone. Sealing is on when there is a key file; seal_check.h is the side of verify. */
#ifndef JOURNAL_SEAL_H
#define JOURNAL_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/journal/journal.h"

#define SEAL_EVERY_MS (15 * 60 * 1000)
/* A record may be so much further behind its last seal than that one's "every". */
#define SEAL_GRACE_MS (60 * 1000)

struct seal_options {
    const char *folder;   /* of the journal */
    const char *key_path; /* replaced with each seal */
    int64_t every_ms;     /* 0: SEAL_EVERY_MS */
};

struct seal;

/* Right after journal_open(), before anything is appended: catches up with what a crash has left between journal and
 * key file, and makes the first seal. NULL when there is no usable key: then nothing is sealed. *trouble says what an
 * operator must know, or is "". */
struct seal *seal_open(struct journal *journal, const struct seal_options *options, struct instant now,
                       struct why *trouble);
/* Before each record: makes the seal that is due, so that no record stands behind an epoch that is over. */
void seal_before(struct seal *seal, struct instant now);
/* One at once, for a reason of [a-z_]+. */
void seal_make(struct seal *seal, struct instant now, const char *why);
void seal_set_every(struct seal *seal, int64_t every_ms);
/* The last seal of a clean stop: nothing may be appended behind it. Wipes the key and frees; before journal_close(). */
void seal_close(struct seal **seal, struct instant now);
/* The same without a seal: as a daemon leaves it that is killed. */
void seal_abandon(struct seal **seal);

#endif
