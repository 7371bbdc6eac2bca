/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge - (standing, state of the newest result, rules) → standing: soft and hard states with attempts, flapping. Pure;
 * the same function serves checks and parts. */
#ifndef SCHEDULE_JUDGE_H
#define SCHEDULE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/model/config.h"

#define FLAP_RESULTS 21

/* Where a check or part stands. state is the newest; hard_state the last confirmed one. */
struct standing {
    enum belfry_state state, hard_state;
    bool hard;                  /* state is confirmed */
    bool known;                 /* false: never had a result */
    uint32_t attempt;           /* 1 .. attempts */
    int64_t since_wall_ms;      /* since when state */
    int64_t hard_since_wall_ms; /* since when hard_state */
};

struct flapping {
    uint32_t changes; /* one bit a transition between neighbours of the last 21 results, newest lowest */
    uint32_t count;   /* results seen, saturates at 21 */
    enum belfry_state last;
    bool flapping;
};

struct standing_change {
    bool state_changed; /* soft or hard: an event is due (also attempt changes of a soft problem) */
    bool hard_changed;
    enum belfry_state from;
};

/* OK is hard at once. A problem is soft until `attempts` consecutive results were not OK (attempts 1: hard at once); a
 * change between problem states keeps counting; recovery from a soft problem is a soft recovery, hard_state never left
 * OK. */
struct standing_change standing_step(struct standing *standing, enum belfry_state state, uint32_t attempts,
                                     int64_t wall_ms);
/* A soft problem is confirmed before its attempts are over (its circuit breaker opened). Nothing else changes. */
struct standing_change standing_harden(struct standing *standing, int64_t wall_ms);
/* A problem that is not confirmed yet. */
bool standing_is_soft_problem(const struct standing *standing);
/* Whether any state was confirmed yet: before that hard_state means nothing. */
bool standing_is_confirmed(const struct standing *standing);
/* What is known of a check or part before its first result. */
struct standing standing_unknown(void);
/* Percent of state change as Nagios Core computes it over 21 results, with its weights (base/flapping.c): 0.75 for the
 * oldest transition to 1.25 for the newest. */
double flapping_percent(const struct flapping *flapping);
/* Whether this result belongs into the history: Nagios Core leaves soft problems out (same file). */
bool flapping_counts(const struct standing *standing);
/* Adds a result; true when flapping started (percent >= high) or stopped (percent < low, or switched
 * off). It can't start before 21 results were seen. */
bool flapping_step(struct flapping *flapping, enum belfry_state state, const struct flapping_config *rules);

#endif
