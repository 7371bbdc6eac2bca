/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule_circuit - circuit breakers and the checks behind them.
 *
 * While a breaker is open no regular run of its checks starts; a run that had begun may still come back, and when it
 * reached its target that is a recovery like any other. Half-open, one check probes: the one whose last start is the
 * longest ago. Only the probe's failure counts then; a probe that says nothing about the target opens the breaker for
 * the same pause again. A probe is a whole run: its tries are made. On recovery the other
 * checks run soon, spread; when a breaker opens, the unconfirmed problems of its checks are confirmed at once, because
 * their attempts would not go on. */
#include <stdio.h>

#include "core/schedule/schedule_private.h"

static void plan_soon(struct schedule *s, struct circuit *circuit, struct instant now)
{
    for (uint32_t i = 0; i < circuit->members.count; i++) {
        struct check *c = s->checks[circuit->members.items[i]];
        int64_t due_ms = now.mono_ms + schedule_spread_ms(c, c->every_ms);
        if (schedule_is_idle(c) && due_ms < c->view.due_ms)
            schedule_set_due(s, c, due_ms);
    }
}

static void harden_all(struct schedule *s, struct circuit *circuit, struct instant now)
{
    for (uint32_t i = 0; i < circuit->members.count; i++)
        schedule_harden(s, s->checks[circuit->members.items[i]], now);
}

static struct check *find_longest_waiting(const struct schedule *s, const struct circuit *circuit)
{
    struct check *found = NULL;
    for (uint32_t i = 0; i < circuit->members.count; i++) {
        struct check *c = s->checks[circuit->members.items[i]];
        if (schedule_is_idle(c) && (!found || c->started_ms < found->started_ms))
            found = c;
    }
    return found;
}

/* When none can (all run already), the next one that is due will. */
static void start_probe(struct schedule *s, struct circuit *circuit, struct instant now)
{
    struct check *c = find_longest_waiting(s, circuit);
    if (c && schedule_circuit_admit(c))
        schedule_start(s, c, now);
}

void schedule_circuit_arm(struct schedule *s, struct circuit *circuit, struct instant now)
{
    const struct breaker *b = &circuit->breaker;
    if (b->state == BREAKER_OPEN && b->until_ms != NEVER_MS)
        timers_set(&s->circuit_timers, circuit->number, b->until_ms);
    else if (b->state == BREAKER_HALF_OPEN && !b->probing)
        timers_set(&s->circuit_timers, circuit->number, now.mono_ms);
    else
        timers_clear(&s->circuit_timers, circuit->number);
}

/* The breaker is in another state than before: said, and acted upon. text: what caused it. */
static void announce(struct schedule *s, struct circuit *circuit, const char *text, struct instant now)
{
    static const enum event_type types[BREAKER_STATE_COUNT] = {
        [BREAKER_CLOSED] = EVENT_BREAKER_CLOSED,
        [BREAKER_OPEN] = EVENT_BREAKER_OPEN,
        [BREAKER_HALF_OPEN] = EVENT_BREAKER_HALF_OPEN,
    };
    const struct breaker *b = &circuit->breaker;
    struct event event = { .type = types[b->state], .breaker = circuit->name, .text = text };
    event.failures = b->failures;
    event.pause_ms = b->pause_ms;
    schedule_emit(s, event, now);
    circuit->probe = NULL;
    schedule_circuit_arm(s, circuit, now);
    if (b->state == BREAKER_OPEN)
        harden_all(s, circuit, now);
    else if (b->state == BREAKER_CLOSED)
        plan_soon(s, circuit, now);
}

static void step(struct schedule *s, struct circuit *circuit, enum breaker_event event, struct check *cause,
                 struct instant now)
{
    enum breaker_state before = circuit->breaker.state;
    breaker_step(&circuit->breaker, &circuit->rules, event, now.mono_ms);
    if (circuit->breaker.state == before)
        return;
    char text[1400];
    snprintf(text, sizeof text, "%s%s%s", cause ? cause->id : "", cause ? ": " : "", cause ? cause->view.text : "");
    announce(s, circuit, text, now);
}

void schedule_circuit_tick(struct schedule *s, struct circuit *circuit, struct instant now)
{
    timers_clear(&s->circuit_timers, circuit->number);
    step(s, circuit, BREAKER_TICK, NULL, now);
    timers_clear(&s->circuit_timers, circuit->number);
    if (circuit->breaker.state == BREAKER_HALF_OPEN && !circuit->breaker.probing)
        start_probe(s, circuit, now);
}

bool schedule_circuit_admit(struct check *c)
{
    struct circuit *circuit = c->circuit;
    if (c->view.tries > 0)
        return circuit->breaker.hold != BREAKER_HELD_OPEN;
    if (!breaker_admit(&circuit->breaker))
        return false;
    if (circuit->breaker.probing)
        circuit->probe = c;
    return true;
}

bool schedule_circuit_may_retry(const struct check *c)
{
    return c->circuit->breaker.state == BREAKER_CLOSED || c->circuit->probe == c;
}

void schedule_circuit_judge(struct schedule *s, struct check *c, enum reach reach, struct instant now)
{
    static const enum breaker_event events[] = {
        [REACHED] = BREAKER_SUCCESS,
        [NOT_REACHED] = BREAKER_FAILURE,
        [REACH_UNSAID] = BREAKER_NO_NEWS,
    };
    struct circuit *circuit = c->circuit;
    bool counts = reach == REACHED || circuit->breaker.state != BREAKER_HALF_OPEN || circuit->probe == c;
    if (counts)
        step(s, circuit, events[reach], c, now);
    if (circuit->breaker.state == BREAKER_OPEN)
        schedule_harden(s, c, now);
    else if (circuit->breaker.state == BREAKER_HALF_OPEN)
        schedule_circuit_arm(s, circuit, now); /* all were running when it half-opened: now one is free to probe */
}

/* The tries are begun anew, so that the run asks for admission again. */
void schedule_circuit_lose(struct schedule *s, struct check *c, struct instant now)
{
    struct circuit *circuit = c->circuit;
    if (!circuit || circuit->probe != c)
        return;
    c->view.tries = 0;
    circuit->probe = NULL;
    step(s, circuit, BREAKER_PROBE_LOST, c, now);
    schedule_circuit_arm(s, circuit, now);
}

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

static void set_hold(struct schedule *s, struct circuit *circuit, enum breaker_hold hold, const char *by,
                     struct instant now)
{
    enum breaker_state before = circuit->breaker.state;
    if (circuit->breaker.hold == hold)
        return;
    breaker_set_hold(&circuit->breaker, hold, now.mono_ms);
    schedule_emit(s,
                  (struct event){
                      .type = EVENT_BREAKER_HELD, .breaker = circuit->name, .name = breaker_hold_name(hold), .by = by },
                  now);
    if (circuit->breaker.state != before)
        announce(s, circuit, hold == BREAKER_HELD_OPEN ? "held open" : "held closed", now);
    else
        schedule_circuit_arm(s, circuit, now);
}

int schedule_breaker_hold(struct schedule *s, const char *breaker, enum breaker_hold hold, const char *by,
                          struct instant now)
{
    struct circuit *circuit = map_get(&s->circuits_by_name, breaker);
    schedule_observe(s, now);
    if (!circuit)
        return ERROR_UNKNOWN_NAME;
    set_hold(s, circuit, hold, by, now);
    return 0;
}

void schedule_circuit_retire(struct schedule *s, struct circuit *circuit, struct instant now)
{
    set_hold(s, circuit, BREAKER_AUTO, "config", now);
    if (circuit->breaker.state != BREAKER_CLOSED) {
        circuit->breaker.state = BREAKER_CLOSED;
        announce(s, circuit, "no longer in use", now);
    }
    schedule_circuit_drop(s, circuit);
}
