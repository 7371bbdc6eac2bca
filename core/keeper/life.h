/* SPDX-License-Identifier: GPL-3.0-or-later */
/* life - supervision as one table: what a child of the keeper is, and what becomes of it when something happens. Pure:
 * no clock, no process. Workers and the recorder live by the same table; who moves them is child.c (its silence, its
 * death), worker.c (its runs), and pool.c and record.c (when the next one may be started).
 *
 *     start ──ready──► ready ◄──work, rest──► busy        silent: it does not answer pings
 *       │                └──quiet──► silent ◄──quiet──┘    leaving: it was told to end, and finishes what runs
 *       └──────── kill ──────► dying ──end──► dead ──pause──► throttled ──again──► start
 *                                └──refuse──► unkillable ──end──► dead                                             */
#ifndef KEEPER_LIFE_H
#define KEEPER_LIFE_H

#include <stdbool.h>
#include <stdint.h>

enum life_state {
    LIFE_START,      /* spawned, has not said yet that it is ready */
    LIFE_READY,      /* takes work */
    LIFE_BUSY,       /* has work, takes more */
    LIFE_SILENT,     /* a ping is unanswered for too long: gets no more work */
    LIFE_LEAVING,    /* was told to end: finishes what it has */
    LIFE_DYING,      /* SIGKILL was sent */
    LIFE_UNKILLABLE, /* and had no effect: it hangs in the kernel (state D); its place is given to another */
    LIFE_DEAD,       /* reaped */
    LIFE_THROTTLED,  /* the next one has to wait */
    LIFE_STATE_COUNT
};

enum life_event {
    LIFE_IS_READY, /* it said so */
    LIFE_WORK,     /* it was given something */
    LIFE_REST,     /* it has nothing left */
    LIFE_QUIET,    /* it did not answer in time */
    LIFE_HEARD,    /* it said something again */
    LIFE_LEAVE,    /* it was told to end */
    LIFE_KILL,     /* SIGKILL was sent */
    LIFE_REFUSE,   /* SIGKILL had no effect */
    LIFE_END,      /* it was reaped */
    LIFE_PAUSE,    /* the next one has to wait */
    LIFE_AGAIN,    /* the next one is started */
    LIFE_EVENT_COUNT
};

/* What does not happen in a state leaves it as it is. */
enum life_state life_next(enum life_state state, enum life_event event);
const char *life_name(enum life_state state);
/* It takes work. */
bool life_serves(enum life_state state);
/* It fills a place among the workers of its plugin, and is looked after. */
bool life_counts(enum life_state state);

/* The pause before the next start: doubled by every death, gone when one was of use. */
struct backoff {
    int64_t first_ms, most_ms; /* set by the owner */
    int64_t pause_ms, until_ms;
};

/* One more died: when the next may start is in until_ms; returns the pause. */
int64_t backoff_more(struct backoff *backoff, int64_t now_ms);
void backoff_clear(struct backoff *backoff);

/* A budget of starts: `burst` at once, then one each `every_ms`. All zeros: full. */
struct budget {
    int64_t burst, every_ms; /* set by the owner */
    int64_t spent, at_ms;
};

bool budget_take(struct budget *budget, int64_t now_ms);

#endif
