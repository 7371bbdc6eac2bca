/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index - what the blocks of a compressed segment hold, so that a question need not unpack all of them: the file
 * NUMBER.idx beside it. It is a convenience: made from the segment, made anew when it does not fit, and never looked at
 * by verify or recovery. Internal to the room. */
#ifndef JOURNAL_INDEX_H
#define JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/journal/disk.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"

#define INDEX_NAME_SIZE 32u
#define INDEX_SET_SIZE 256u /* bytes of a block's set of types and subjects */

/* One gzip member. */
struct index_block {
    uint64_t packed_at, offset, lines_before; /* where it begins, in the file, unpacked, and in lines */
    uint64_t first_seq, records;
    int64_t least_ms, most_ms; /* wall times */
    unsigned char set[INDEX_SET_SIZE];
};

struct index {
    uint64_t packed_size; /* of the file that it is of */
    uint64_t count;
    struct index_block *blocks;
};

/* NUMBER.idx of NUMBER.jsonl. */
char *index_name(char out[INDEX_NAME_SIZE], const char *segment);

/* Making one: the bytes of each member in order; they begin and end with a line's end, or don't when damaged. */
void index_add(struct index *index, uint64_t packed_at, const char *bytes, size_t n);
/* Replaces the file atomically (without syncing: who does not find it whole makes it anew). */
int index_write(const struct index *index, const struct journal_disk *disk, int folder, const char *segment);
/* 0, -ENOENT, -errno, or ERROR_DAMAGED: not whole, or not of a file of packed_size bytes. */
int index_read(struct index *out, int folder, const char *segment, uint64_t packed_size);
void index_close(struct index *index);

/* Whether the block can hold a record of this type ("breaker.": of this family; may be NULL) and subject (as it stands
 * in a line, without quotes; NULL: any). */
bool index_may_hold(const struct index_block *block, const char *type, const struct buf *subject);

#endif
