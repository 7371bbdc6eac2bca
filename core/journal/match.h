/* SPDX-License-Identifier: GPL-3.0-or-later */
/* match - whether a line is a record that a question asks for. Internal to the room. */
#ifndef JOURNAL_MATCH_H
#define JOURNAL_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"

/* The members in which a subject stands; NULL behind the last one. */
#define MATCH_MEMBER_SIZE 16u
extern const char *const match_members[];

/* A type and a subject, each NULL for any. */
struct match_row {
    const char *type, *subject;
    size_t type_length;
    struct buf raw; /* the subject as it stands in a line, without quotes */
};

struct match {
    const struct journal_filter *filter;
    char since[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE]; /* in the record's own form, "" when open */
    struct match_row *rows;                            /* the filter's own, then those of which one must hold */
    size_t count;
};

/* Borrows the filter. */
void match_open(struct match *match, const struct journal_filter *filter);
void match_close(struct match *match);
/* Fills record when it does. */
bool match_takes(const struct match *match, const struct segment_line *line, struct record *record);

#endif
