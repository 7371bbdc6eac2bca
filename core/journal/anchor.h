/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anchor - the head of the journal, number and hash, noted down where who changes the journal can't change it: written
 * to sinks, read back from a file, held against the journal. */
#ifndef JOURNAL_ANCHOR_H
#define JOURNAL_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/journal/journal.h"

/* "SEQ:HASH"; 0 or ERROR_SYNTAX. */
int anchor_parse(const char *text, struct journal_anchor *out);
/* The line that is noted down: `2026-11-21T10:31:07.123Z belfry journal=ID head=SEQ:HASH`. */
#define ANCHOR_LINE_SIZE 192
char *anchor_format(char out[ANCHOR_LINE_SIZE], const struct journal_anchor *anchor, int64_t wall_ms);

struct anchor_list {
    struct journal_anchor *items;
    size_t count;
};
/* Every line of the file that has a journal=ID and a head=SEQ:HASH, whatever else is in it (a syslog's lines will do),
 * in the order of their numbers. ERROR_SYNTAX when there is none, or one that is damaged. */
int anchor_read(const char *path, struct anchor_list *out, struct why *why);
void anchor_close(struct anchor_list *list);
/* By number, as verify wants them. */
void anchor_sort(struct anchor_list *list);

/* Where heads can be noted down; the table ends with a row without name. A further one is one more row. */
struct anchor_sink {
    const char *name;
    bool to; /* it is told where (a path); the option takes an argument */
    /* 0 or a negative code */
    int (*write)(const char *to, const char *line);
};
extern const struct anchor_sink anchor_sinks[];

#endif
