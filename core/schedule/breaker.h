/* SPDX-License-Identifier: GPL-3.0-or-later */
/* breaker - the circuit breaker as a table [state][event]. Pure: the time is an argument, randomness a seed.
 *
 *     closed --(failures reached)--> open --(pause over)--> half-open --(success)--> closed
 *                                     ^                        |
 *                                     +----(failure: pause doubles up to the cap)
 *
 * The pause is jittered by up to +-10 % so that breakers opened together don't probe together. While it is held open no
 * run is let through; held closed every run is, whatever fails. */
#ifndef SCHEDULE_BREAKER_H
#define SCHEDULE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_STATE_COUNT
};
enum breaker_event {
    BREAKER_SUCCESS,    /* a run reached its target, the probe or any other */
    BREAKER_FAILURE,    /* a run did not; half-open: the probe (a straggler's failure is not told then) */
    BREAKER_TICK,       /* time passed */
    BREAKER_PROBE_LOST, /* the probe did not take place: another may */
    BREAKER_NO_NEWS,    /* a run says nothing about its target; half-open: the probe. It is asked again after the same
                           pause: neither nearer to closing nor further away */
    BREAKER_EVENT_COUNT
};
enum breaker_hold {
    BREAKER_AUTO,
    BREAKER_HELD_OPEN,
    BREAKER_HELD_CLOSED
};

#define BREAKER_FAILURES_MAX 1000 /* where the count saturates */

struct breaker {
    enum breaker_state state;
    enum breaker_hold hold;
    uint32_t failures; /* consecutive; saturates */
    uint32_t pause_ms; /* the current pause, unjittered; 0: none yet */
    int64_t until_ms;  /* monotonic: when an open breaker half-opens; INT64_MAX: held */
    bool probing;      /* half-open: the one probe is under way */
    uint32_t random;
};

struct breaker_rules {
    uint32_t failures, open_ms, open_max_ms;
};

/* The state after the event; what changed is seen by comparing states. */
void breaker_step(struct breaker *breaker, const struct breaker_rules *rules, enum breaker_event event, int64_t now_ms);
/* By hand: held open is open without an end, held closed is closed; given back to AUTO, one held open half-opens with
 * the next tick. */
void breaker_set_hold(struct breaker *breaker, enum breaker_hold hold, int64_t now_ms);
/* Whether a run may start now; marks the probe as under way when it is one. */
bool breaker_admit(struct breaker *breaker);
const char *breaker_state_name(enum breaker_state state); /* "closed", "open", "half-open" */
const char *breaker_hold_name(enum breaker_hold hold);    /* "auto", "open", "closed" */
bool breaker_hold_from_name(const char *name, enum breaker_hold *out);

#endif
