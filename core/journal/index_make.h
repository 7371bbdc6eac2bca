/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index_make - making the index of a compressed segment while its blocks pass by. Internal to the room. */
#ifndef JOURNAL_INDEX_MAKE_H
#define JOURNAL_INDEX_MAKE_H

#include "core/journal/index.h"

/* Zero it before use. */
struct index_maker {
    struct index index;
    struct buf pairs; /* uint64_t: (key << 32 | block), in each block ascending */
    bool odd;         /* it can only be read as a whole */
};

/* The bytes of each member in order. */
void index_add(struct index_maker *maker, uint64_t packed_at, const char *bytes, size_t n);
/* There is something that can't be unpacked. */
void index_add_damage(struct index_maker *maker);
/* Writes the file, for the segment that packed reads. 0 or a negative code. */
int index_finish(struct index_maker *maker, const struct pack_reader *packed, const struct index_place *place);
void index_maker_close(struct index_maker *maker);

#endif
