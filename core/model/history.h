/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history - what happened to a check while its values were recorded: its states, times in which nobody looked, and
 * marks worth a line in a graph. A fold over journal records, made by whoever may read the journal (the command line,
 * the web) and handed as JSON to whoever draws, which may not:
 *
 *     { "states": [ { "at": S, "state": "CRITICAL", "soft": true } ],
 *       "blind": [ { "from": S, "until": S, "text": "belfryd was down", "unsure": true,
 *                    "rests": false } ],
 *       "marks": [ { "at": S, "kind": "bad", "label": "CRITICAL", "text": "connection refused" } ] }
 *
 * Times are seconds since 1970, in order. A state holds until the next one; "state": null is a time without one. */
#ifndef MODEL_HISTORY_H
#define MODEL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/model/state.h"

#define HISTORY_ITEMS_MAX 20000u /* of each list; what comes later is left out */
#define HISTORY_LABEL_SIZE 24    /* bytes */

enum history_kind {
    HISTORY_NOTE,
    HISTORY_GOOD,
    HISTORY_BAD,
    HISTORY_KIND_COUNT
};

struct history_state {
    int64_t at_s;
    bool none, soft;
    enum belfry_state state;
};

struct history_blind {
    int64_t from_s, until_s;
    const char *text;
    bool unsure; /* it began at from_s or later: with the last value that was recorded */
    bool rests;  /* only this check was not run: its state holds */
};

struct history_mark {
    int64_t at_s;
    enum history_kind kind;
    const char *label, *text; /* text may be "" */
};

struct history {
    struct history_state *states;
    struct history_blind *blind;
    struct history_mark *marks;
    uint32_t state_count, blind_count, mark_count;
};

/* ---- the fold */

struct history_fold {
    struct arena *arena;
    struct history *out;
    const char *check, *part; /* part: the states of this part; NULL: of the check as a whole */
    const char *breaker;      /* that it stands behind, perhaps with others; NULL: its own, of its name */
    /* inner */
    uint32_t state_size, blind_size, mark_size;
    int64_t down_s, open_s;      /* the daemon stopped, the check's breaker opened then; 0: not */
    int64_t seen_s;              /* the last record of all */
    struct history_state before; /* the state when the daemon stopped */
};

/* A journal record; borrowed for the call. */
struct history_record {
    const char *type, *line;
    size_t length;
    int64_t wall_ms;
};

/* Whom a record must be about. */
enum history_about {
    HISTORY_OF_ALL,
    HISTORY_OF_CHECK,
    HISTORY_OF_SERVICE,
    HISTORY_OF_BREAKER
};
/* The types of record of which a history is made, for i = 0, 1 ..; NULL behind the last one. */
const char *history_wants(size_t i, enum history_about *about);

/* The records in their order; what does not concern the check is passed over. */
void history_add(struct history_fold *fold, const struct history_record *record);
/* Whoever adds only what is wanted: the daemon was there then. To be said before a daemon.started that follows no
 * daemon.stopped (history_asks()), of the last record before it that is no journal.* one, which may be of the start. */
bool history_asks(const struct history_fold *fold, const struct history_record *next);
void history_seen(struct history_fold *fold, int64_t wall_ms);
/* Closes what is still open at the end of the time. */
void history_end(struct history_fold *fold, int64_t until_s);
/* A mark that is in no journal. */
void history_mark(struct history_fold *fold, const struct history_mark *mark);

/* ---- the text */

void history_print(struct buf *out, const struct history *history);
/* 0 or ERROR_SYNTAX with what is wrong; nothing in the text is believed unchecked. */
int history_parse(struct arena *arena, const char *text, size_t length, struct history *out, struct why *why);

#endif
