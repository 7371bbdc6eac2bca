/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chain - checks line after line what a journal's format demands (top of segment.c). Recovery and verify both read
 * through it. Internal to the room. */
#ifndef JOURNAL_CHAIN_H
#define JOURNAL_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/digest.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"

/* Zero it before the first segment. */
struct chain {
    bool begun; /* a line that stands by itself was taken; last_* are its */
    bool gap;   /* lines that do not stand by themselves came after it */
    uint64_t last_seq;
    char last_hash[DIGEST_HEX_SIZE];
    char journal[SEGMENT_ID_SIZE];   /* "": not known yet */
    char segment[SEGMENT_NAME_SIZE]; /* being read */
    char before[SEGMENT_NAME_SIZE];  /* the file before it, or "" */
    uint64_t bytes_behind;           /* of the lines since the last one that stands by itself */
    uint64_t unknown_version;        /* not 0: a segment has this one */
};

struct chain_fault {
    const char *kind; /* NULL: none */
    char text[160];
};

/* Makes it a fault of this kind, with words for people. Returns true: there is one. */
bool chain_say(struct chain_fault *fault, const char *kind, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* The next segment begins; before is the file before it in the folder, or "". */
void chain_begin_segment(struct chain *chain, const char *name, const char *before);
/* Takes the next line (also an unfinished one that counts as a line). Whether it stands by itself: then *record is
 * it, possibly with a fault all the same. */
bool chain_take(struct chain *chain, const struct segment_line *line, struct record *record, struct chain_fault *fault);
/* Bytes without a newline that are a whole record and one byte more: that byte was the newline. A crash leaves a
 * beginning of what was written, or zeros, but not this. */
bool chain_is_newline_changed(const struct segment_line *rest);

#endif
