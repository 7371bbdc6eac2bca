/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index - which blocks of a compressed segment hold which types and subjects, so that a question unpacks no others: the
 * file NUMBER.idx beside it (its form: index.c). It is a convenience: made from the segment, made anew when it does not
 * fit, and never looked at by verify or recovery. It only says where to look: what is found there is read from the
 * segment and compared like any other record. Internal to the room. */
#ifndef JOURNAL_INDEX_H
#define JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/journal/disk.h"
#include "core/journal/pack.h"

#define INDEX_NAME_SIZE 32u

/* One gzip member. */
struct index_block {
    uint64_t packed_at, offset, lines_before; /* where it begins, in the file, unpacked, and in lines */
    uint64_t records, least_seq, most_seq;    /* the rest is 0 when there are none */
    int64_t least_ms, most_ms;                /* wall times */
};

/* What is asked for. */
enum index_kind {
    INDEX_TYPE,   /* "check.state", or a family: "check." */
    INDEX_SUBJECT /* "web", "web/up", "web/up@a": of a check, a service, a breaker or a plugin */
};
/* A type or subject, as a number; two may have the same. */
uint32_t index_key(enum index_kind kind, const char *text, size_t n);
/* NUMBER.idx of NUMBER.jsonl. */
char *index_name(char out[INDEX_NAME_SIZE], const char *segment);

/* Where it is written. */
struct index_place {
    const struct journal_disk *disk;
    int folder;
    const char *segment;
};

/* As read. Without blocks: the segment is to be read as a whole. */
struct index {
    struct index_block *blocks;
    uint64_t count;
    unsigned char *bytes; /* the file's, in which the rest lies */
    const unsigned char *keys, *lists;
    size_t key_count, lists_size;
};
/* 0, -ENOENT, -errno, or ERROR_DAMAGED: not whole, or not of the segment that packed is of. */
int index_read(struct index *out, int folder, const char *segment, const struct pack_reader *packed);
void index_close(struct index *index);
/* Sets the bits in marks[0 .. count) of the blocks that can hold such a record; whether there is one. */
bool index_mark(const struct index *index, enum index_kind kind, const char *text, unsigned char *marks,
                unsigned char bits);

/* Replaces the file atomically (without syncing: who does not find it whole makes it anew). keys: of each block those
 * that it holds, (key << 32 | block), ascending, each once. */
struct index_keys {
    const uint64_t *pairs;
    size_t count;
};
int index_write(const struct index *index, const struct index_keys *keys, const struct pack_reader *packed,
                const struct index_place *place);

#endif
