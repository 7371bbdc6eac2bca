/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recover - what journal_open() finds on disk, put in order so that it can be written on. Internal to the room; the
 * rules are told at the top of segment.c. */
#ifndef JOURNAL_RECOVER_H
#define JOURNAL_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/journal/disk.h"
#include "core/journal/journal.h"
#include "core/journal/segment.h"

/* Where to go on. */
struct recover_end {
    char journal[SEGMENT_ID_SIZE];   /* "": there is no journal yet, or nothing says which one it is */
    char segment[SEGMENT_NAME_SIZE]; /* the last one; "": there is none */
    uint64_t seq;                    /* the last number that counts as used */
    char hash[DIGEST_HEX_SIZE];      /* of the last record that stands by itself */
    bool new_segment;                /* the last segment is not to be written any more */
    uint64_t size;                   /* of the last segment */
    uint64_t visited;                /* the last record that visit was called for, or that it was not wanted for; also
                                        after an error */
};

struct recover_request {
    const struct journal_disk *disk;
    int folder;
    uint64_t after; /* visit is called for the records behind it; may be NULL */
    journal_visit visit;
    void *context;
    bool dry; /* nothing is changed or synced: *end is as it will be when that is done */
};

/* 0, what visit returned, or a negative code. */
int recover_end(const struct recover_request *request, struct recover_end *end, struct journal_recovery *recovery,
                struct why *why);

#endif
