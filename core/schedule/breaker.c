/* SPDX-License-Identifier: GPL-3.0-or-later */
/* breaker - one small function for each cell of [state][event].
 *
 * A pause is jittered by up to a tenth, and never reaches beyond the cap: where it would, it is mirrored below the
 * pause, so that breakers at the cap are spread too. A hold sets the state at once and the cells leave it alone from
 * then on; it is lifted by breaker_set_hold() only. */
#include "core/schedule/breaker.h"

#include <string.h>

typedef void step_fn(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms);

/* xorshift32 (Marsaglia, 2003); its state is never 0 */
static uint32_t draw(struct breaker *b)
{
    uint32_t x = b->random ? b->random : 0x9E3779B9u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return b->random = x;
}

static uint32_t cap(const struct breaker_rules *rules)
{
    return rules->open_max_ms ? rules->open_max_ms : 1;
}

static int64_t jitter(struct breaker *b, const struct breaker_rules *rules)
{
    int64_t span = b->pause_ms / 10;
    int64_t delta = (int64_t)(draw(b) % (uint32_t)(2 * span + 1)) - span;
    return b->pause_ms + delta > cap(rules) ? b->pause_ms - delta : b->pause_ms + delta;
}

static uint32_t double_pause(uint32_t pause_ms, const struct breaker_rules *rules)
{
    uint64_t next = pause_ms ? (uint64_t)pause_ms * 2 : rules->open_ms ? rules->open_ms : 1;
    return next < cap(rules) ? (uint32_t)next : cap(rules);
}

static void close_circuit(struct breaker *b)
{
    b->state = BREAKER_CLOSED;
    b->failures = 0;
    b->pause_ms = 0;
    b->until_ms = 0;
    b->probing = false;
}

static void open_for(struct breaker *b, uint32_t pause_ms, const struct breaker_rules *rules, int64_t now_ms)
{
    b->state = BREAKER_OPEN;
    b->pause_ms = pause_ms;
    b->until_ms = now_ms + jitter(b, rules);
    b->probing = false;
}

static void open_circuit(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    open_for(b, double_pause(b->pause_ms, rules), rules, now_ms);
}

static void count_failure(struct breaker *b)
{
    if (b->failures < BREAKER_FAILURES_MAX)
        b->failures++;
}

static void ignore(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    (void)b;
    (void)rules;
    (void)now_ms;
}

static void forget_failures(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    (void)rules;
    (void)now_ms;
    b->failures = 0;
}

static void fail_closed(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    count_failure(b);
    if (rules->failures && b->failures >= rules->failures && b->hold == BREAKER_AUTO)
        open_circuit(b, rules, now_ms);
}

static void recover(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    (void)rules;
    (void)now_ms;
    if (b->hold != BREAKER_HELD_OPEN)
        close_circuit(b);
}

static void end_pause(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    bool over = now_ms >= b->until_ms || rules->failures == 0;
    if (b->hold == BREAKER_HELD_OPEN || !over)
        return;
    b->state = BREAKER_HALF_OPEN;
    b->until_ms = 0;
    b->probing = false;
}

static void fail_probe(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    count_failure(b);
    if (rules->failures == 0)
        close_circuit(b);
    else
        open_circuit(b, rules, now_ms);
}

static void lose_probe(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    (void)rules;
    (void)now_ms;
    b->probing = false;
}

static void ask_again(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    uint32_t pause_ms = b->pause_ms < cap(rules) ? b->pause_ms : cap(rules);
    if (rules->failures == 0)
        close_circuit(b);
    else
        open_for(b, b->pause_ms ? pause_ms : double_pause(0, rules), rules, now_ms);
}

static step_fn *const steps[BREAKER_STATE_COUNT][BREAKER_EVENT_COUNT] = {
    /*                     SUCCESS          FAILURE      TICK       PROBE_LOST   NO_NEWS */
    [BREAKER_CLOSED] = { forget_failures, fail_closed, ignore, ignore, ignore },
    [BREAKER_OPEN] = { recover, ignore, end_pause, ignore, ignore },
    [BREAKER_HALF_OPEN] = { recover, fail_probe, ignore, lose_probe, ask_again },
};

void breaker_step(struct breaker *breaker, const struct breaker_rules *rules, enum breaker_event event, int64_t now_ms)
{
    steps[breaker->state][event](breaker, rules, now_ms);
}

void breaker_set_hold(struct breaker *breaker, enum breaker_hold hold, int64_t now_ms)
{
    bool was_held_open = breaker->hold == BREAKER_HELD_OPEN;
    breaker->hold = hold;
    if (hold == BREAKER_HELD_CLOSED) {
        close_circuit(breaker);
    } else if (hold == BREAKER_HELD_OPEN) {
        breaker->state = BREAKER_OPEN;
        breaker->until_ms = INT64_MAX;
        breaker->probing = false;
    } else if (was_held_open) {
        breaker->until_ms = now_ms;
    }
}

bool breaker_admit(struct breaker *breaker)
{
    if (breaker->state != BREAKER_HALF_OPEN)
        return breaker->state == BREAKER_CLOSED;
    if (breaker->probing)
        return false;
    return breaker->probing = true;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[BREAKER_STATE_COUNT] = { "closed", "open", "half-open" };
    return names[state];
}

static const char *const hold_names[] = {
    [BREAKER_AUTO] = "auto",
    [BREAKER_HELD_OPEN] = "open",
    [BREAKER_HELD_CLOSED] = "closed",
};

const char *breaker_hold_name(enum breaker_hold hold)
{
    return hold_names[hold];
}

bool breaker_hold_from_name(const char *name, enum breaker_hold *out)
{
    for (unsigned i = 0; name && i < sizeof hold_names / sizeof hold_names[0]; i++) {
        if (strcmp(name, hold_names[i]) == 0) {
            *out = (enum breaker_hold)i;
            return true;
        }
    }
    return false;
}
