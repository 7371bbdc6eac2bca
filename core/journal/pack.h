/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pack - compressed segments: one gzip member behind the other, each of which can be unpacked alone. Internal to the
 * room; the form is told in doc/journal-format.md. */
#ifndef JOURNAL_PACK_H
#define JOURNAL_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/digest.h"

#define PACK_MEMBER_MAX (1u << 20) /* no member has more bytes unpacked */
#define PACK_RATIO_MAX 1032u       /* nor is any shorter by more than this factor */

/* Appends one member with these bytes, at most PACK_MEMBER_MAX, to out, and sees that it unpacks to the same again.
 * 0 or ERROR_DAMAGED. */
int pack_member(struct buf *out, const char *bytes, size_t n);

struct pack_reader;
/* Takes fd over when it succeeds. */
int pack_open(struct pack_reader **out, int fd);
void pack_close(struct pack_reader **reader);
/* Unpacks the next member: 1, 0 at the end, -errno; or ERROR_DAMAGED for bytes that are not an intact member, which are
 * then skipped up to where a whole header stands. */
int pack_next(struct pack_reader *reader);
/* How many bytes of the file the last pack_next() has passed, and where it began. */
uint64_t pack_passed(const struct pack_reader *reader);
uint64_t pack_began(const struct pack_reader *reader);
/* Where the next one begins. */
uint64_t pack_position(const struct pack_reader *reader);
uint64_t pack_size(const struct pack_reader *reader);
/* What tells this file from others, by its size, beginning and end; 0 or -errno. */
int pack_mark(const struct pack_reader *reader, unsigned char out[DIGEST_SIZE]);
/* The bytes of the member that was unpacked last. */
const char *pack_bytes(const struct pack_reader *reader, size_t *n);
/* Copies from where it was left, going on to the next member when needed: a count, 0 at the end, or as pack_next(). */
ssize_t pack_read(struct pack_reader *reader, char *out, size_t n);
/* The next member is the one that begins there. */
void pack_seek(struct pack_reader *reader, uint64_t at);

#endif
