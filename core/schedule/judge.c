/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge - soft and hard states, and flapping.
 *
 * A soft problem always has a confirmed OK behind it (or nothing at all): a confirmed problem that changes to another
 * problem state stays confirmed, as in Nagios. The share of flapping is a sum over the last 20 transitions, each
 * weighted by its age, in percent of the 20. */
#include "core/schedule/judge.h"

#define TRANSITIONS (FLAP_RESULTS - 1)
#define TRANSITION_MASK ((1u << TRANSITIONS) - 1)
#define WEIGHT_OLDEST 0.75
#define WEIGHT_NEWEST 1.25

struct standing standing_unknown(void)
{
    return (struct standing){ .state = BELFRY_UNKNOWN, .hard_state = BELFRY_UNKNOWN };
}

bool standing_is_confirmed(const struct standing *standing)
{
    return standing->hard_since_wall_ms != 0;
}

bool standing_is_soft_problem(const struct standing *standing)
{
    return standing->known && standing->state != BELFRY_OK && !standing->hard;
}

/* The present state is confirmed; returns whether hard_state is another one now. */
static bool confirm(struct standing *standing, int64_t wall_ms)
{
    bool changed = !standing_is_confirmed(standing) || standing->hard_state != standing->state;
    standing->hard = true;
    standing->hard_state = standing->state;
    if (changed)
        standing->hard_since_wall_ms = wall_ms;
    return changed;
}

/* Counts a problem's result; attempts that were lowered or raised meanwhile never make a confirmed problem soft. */
static void count_attempt(struct standing *standing, bool was_problem, uint32_t attempts)
{
    if (!was_problem) {
        standing->attempt = 1;
        standing->hard = false;
    } else if (!standing->hard) {
        standing->attempt++;
    }
    if (standing->attempt >= attempts)
        standing->hard = true;
}

struct standing_change standing_step(struct standing *standing, enum belfry_state state, uint32_t attempts,
                                     int64_t wall_ms)
{
    struct standing before = *standing;
    bool was_problem = before.known && before.state != BELFRY_OK;
    struct standing_change change = { .from = before.state };

    standing->known = true;
    standing->state = state;
    if (!before.known || before.state != state)
        standing->since_wall_ms = wall_ms;
    if (state == BELFRY_OK) {
        standing->attempt = 1;
        standing->hard = true;
    } else {
        count_attempt(standing, was_problem, attempts);
    }
    if (standing->hard)
        change.hard_changed = confirm(standing, wall_ms);
    change.state_changed = !before.known || before.state != state || before.attempt != standing->attempt;
    return change;
}

struct standing_change standing_harden(struct standing *standing, int64_t wall_ms)
{
    struct standing_change change = { .from = standing->state };
    if (standing_is_soft_problem(standing)) {
        change.state_changed = true;
        change.hard_changed = confirm(standing, wall_ms);
    }
    return change;
}

bool flapping_counts(const struct standing *standing)
{
    return !standing_is_soft_problem(standing);
}

double flapping_percent(const struct flapping *flapping)
{
    double sum = 0;
    for (int age = 0; age < TRANSITIONS; age++) {
        if (flapping->changes >> age & 1)
            sum += WEIGHT_NEWEST - age * (WEIGHT_NEWEST - WEIGHT_OLDEST) / (TRANSITIONS - 1);
    }
    return sum * 100 / TRANSITIONS;
}

bool flapping_step(struct flapping *flapping, enum belfry_state state, const struct flapping_config *rules)
{
    bool was = flapping->flapping;
    if (flapping->count > 0)
        flapping->changes = (flapping->changes << 1 | (flapping->last != state)) & TRANSITION_MASK;
    flapping->last = state;
    if (flapping->count < FLAP_RESULTS)
        flapping->count++;

    if (!rules->enabled)
        flapping->flapping = false;
    else if (was)
        flapping->flapping = flapping_percent(flapping) >= rules->low;
    else if (flapping->count == FLAP_RESULTS && flapping->changes)
        flapping->flapping = flapping_percent(flapping) >= rules->high;
    return flapping->flapping != was;
}
