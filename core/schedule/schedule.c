/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule - when: the timers, starting runs, results and lost runs.
 *
 * A check is in one of four conditions: it waits for a due time (in the timers), it runs (view.run is set, not in the
 * timers), it waits to try again within its run (in the timers, view.tries > 0), or it is disabled. A run's number is
 * a sequence above its slot, so that a result finds its check without a table and a stale one never matches.
 *
 * Late: a due time that is found passed by an interval or more was missed (the machine slept, the daemon stalled): the
 * passed ones are counted and one run takes their place, spread over a short while, because thousands of others were
 * missed too. What is less late runs at once. Grid points that pass while a run is in progress are missed as well; the
 * next run is on the next one. */
#include "core/schedule/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"
#include "core/schedule/schedule_private.h"

struct schedule *schedule_open(const struct schedule_ports *ports, uint64_t seed)
{
    struct schedule *s = heap_array(1, sizeof *s);
    s->ports = *ports;
    s->seed = seed;
    return s;
}

void schedule_close(struct schedule **schedule)
{
    struct schedule *s = *schedule;
    if (!s)
        return;
    schedule_forget_all(s);
    free(s->checks);
    free(s->circuits);
    map_close(&s->checks_by_id);
    map_close(&s->circuits_by_name);
    map_close(&s->services);
    timers_close(&s->check_timers);
    timers_close(&s->circuit_timers);
    arena_close(&s->changes);
    free(s);
    *schedule = NULL;
}

/* ---- events and clocks ------------------------------------------------------------------------------------------- */

void schedule_emit(struct schedule *s, struct event event, struct instant now)
{
    event.wall_ms = now.wall_ms;
    s->ports.emit(s->ports.context, &event);
}

void schedule_observe(struct schedule *s, struct instant now)
{
    int64_t offset_ms = now.wall_ms - now.mono_ms;
    int64_t step_ms = offset_ms - s->wall_offset_ms;
    if (s->observed && (step_ms > STEP_MS || step_ms < -STEP_MS))
        schedule_emit(s, (struct event){ .type = EVENT_CLOCK_STEPPED, .pause_ms = step_ms }, now);
    s->wall_offset_ms = offset_ms;
    s->observed = true;
}

/* Something was due long ago: nothing was watched meanwhile. */
static void notice_blindness(struct schedule *s, struct instant now)
{
    int64_t next_ms = schedule_next_ms(s);
    if (next_ms == NEVER_MS || now.mono_ms - next_ms <= BLIND_MS)
        return;
    char age[TEXT_DURATION_SIZE], text[128];
    text_format_age(age, now.mono_ms - next_ms);
    snprintf(text, sizeof text, "no check was started for %s: the machine slept, or the daemon was stopped or stalled",
             age);
    schedule_emit(s, (struct event){ .type = EVENT_MONITOR_BLIND, .pause_ms = now.mono_ms - next_ms, .text = text },
                  now);
}

/* ---- due times --------------------------------------------------------------------------------------------------- */

void schedule_set_due(struct schedule *s, struct check *c, int64_t due_ms)
{
    if (due_ms == NEVER_MS) {
        timers_clear(&s->check_timers, c->slot);
    } else {
        due_ms += (SCHEDULE_TICK_MS - due_ms % SCHEDULE_TICK_MS) % SCHEDULE_TICK_MS;
        timers_set(&s->check_timers, c->slot, due_ms);
    }
    c->view.due_ms = due_ms;
}

/* Moves the grid beyond now; how many grid points were passed. */
static uint64_t pass_grid(struct check *c, struct instant now)
{
    if (c->grid_ms > now.mono_ms)
        return 0;
    int64_t passed = (now.mono_ms - c->grid_ms) / c->every_ms + 1;
    c->grid_ms += passed * c->every_ms;
    return (uint64_t)passed;
}

int64_t schedule_spread_ms(const struct check *c, int64_t every_ms)
{
    uint64_t range = (uint64_t)(every_ms < SOON_MS ? every_ms : SOON_MS);
    return (int64_t)((c->hash >> 16) % range);
}

bool schedule_is_idle(const struct check *c)
{
    return c->enabled && c->view.run == 0 && c->view.tries == 0;
}

/* After a result: on the grid, or sooner while a problem is not confirmed. */
static void plan_next(struct schedule *s, struct check *c, struct instant now)
{
    if (!c->enabled) {
        schedule_set_due(s, c, NEVER_MS);
        return;
    }
    c->view.missed += pass_grid(c, now);
    bool soft = standing_is_soft_problem(&c->view.standing);
    schedule_set_due(s, c, soft ? now.mono_ms + c->retry_every_ms : c->grid_ms);
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

void schedule_start(struct schedule *s, struct check *c, struct instant now)
{
    c->view.run = ++s->sequence << RUN_SLOT_BITS | c->slot;
    c->started_ms = now.mono_ms;
    schedule_set_due(s, c, NEVER_MS);
    pass_grid(c, now);
    s->ports.start(s->ports.context, c->slot, c->view.run);
}

static void skip_run(struct schedule *s, struct check *c, struct instant now)
{
    c->view.skipped++;
    c->view.tries = 0;
    pass_grid(c, now);
    schedule_set_due(s, c, c->grid_ms);
}

static void run_due(struct schedule *s, struct check *c, struct instant now)
{
    int64_t late_ms = now.mono_ms - c->view.due_ms;
    if (late_ms >= c->every_ms) {
        c->view.missed += (uint64_t)(late_ms / c->every_ms);
        pass_grid(c, now);
        schedule_set_due(s, c, now.mono_ms + schedule_spread_ms(c, c->every_ms));
    } else if (schedule_circuit_admit(c)) {
        schedule_start(s, c, now);
    } else {
        skip_run(s, c, now);
    }
}

static const struct timer *find_due(const struct timers *timers, struct instant now)
{
    const struct timer *first = timers_first(timers);
    return first && first->due_ms <= now.mono_ms ? first : NULL;
}

void schedule_tick(struct schedule *s, struct instant now)
{
    const struct timer *timer;
    schedule_observe(s, now);
    notice_blindness(s, now);
    while ((timer = find_due(&s->circuit_timers, now)))
        schedule_circuit_tick(s, s->circuits[timer->item], now);
    while ((timer = find_due(&s->check_timers, now)))
        run_due(s, s->checks[timer->item], now);
}

int64_t schedule_next_ms(const struct schedule *s)
{
    const struct timer *check = timers_first(&s->check_timers), *circuit = timers_first(&s->circuit_timers);
    int64_t check_ms = check ? check->due_ms : NEVER_MS, circuit_ms = circuit ? circuit->due_ms : NEVER_MS;
    return check_ms < circuit_ms ? check_ms : circuit_ms;
}

uint64_t schedule_run_now(struct schedule *s, uint32_t slot, struct instant now)
{
    schedule_observe(s, now);
    struct check *c = slot < s->slot_count ? s->checks[slot] : NULL;
    if (!c || !c->enabled)
        return 0;
    if (c->view.run)
        return c->view.run;
    if (c->circuit->breaker.hold == BREAKER_HELD_OPEN)
        return 0;
    schedule_circuit_admit(c); /* an open breaker lets it pass; half-open it may be the probe */
    schedule_start(s, c, now);
    return c->view.run;
}

/* ---- what came back ---------------------------------------------------------------------------------------------- */

static struct check *find_run(struct schedule *s, uint64_t run)
{
    uint64_t slot = run & ((UINT64_C(1) << RUN_SLOT_BITS) - 1);
    struct check *c = slot < s->slot_count ? s->checks[slot] : NULL;
    return run && c && c->view.run == run ? c : NULL;
}

/* A run that was cut short reached nothing, whatever it says; one that broke the rules, or could not be made at all, is
 * no word about the target, whatever it says. */
static enum reach reach_of(const struct result *result)
{
    if (result->end == RESULT_MISUSE)
        return REACH_UNSAID;
    return result->reached && result->end == RESULT_RETURNED ? REACHED : NOT_REACHED;
}

static bool may_try_again(const struct check *c, const struct result *result)
{
    return reach_of(result) == NOT_REACHED && c->enabled && c->view.tries + 1 < c->view.config->retry.attempts &&
           schedule_circuit_may_retry(c);
}

static void try_again(struct schedule *s, struct check *c, struct instant now)
{
    const struct retry *retry = &c->view.config->retry;
    uint32_t last = retry->backoff_count ? retry->backoff_count - 1 : 0;
    uint32_t pause_ms = retry->backoff_count ? retry->backoff_ms[c->view.tries < last ? c->view.tries : last] : 0;
    c->view.tries++;
    schedule_set_due(s, c, now.mono_ms + pause_ms);
}

bool schedule_result(struct schedule *s, uint64_t run, const struct result *result, const struct verdict *verdict,
                     struct instant now, bool *final_try)
{
    schedule_observe(s, now);
    struct check *c = find_run(s, run);
    if (!c)
        return false;
    c->view.run = 0;
    schedule_emit_events(s, c, result, now);
    *final_try = !may_try_again(c, result);
    if (!*final_try) {
        try_again(s, c, now);
        return true;
    }
    c->view.tries = 0;
    schedule_judge(s, c, result, verdict, now);
    schedule_circuit_judge(s, c, reach_of(result), now);
    plan_next(s, c, now);
    return true;
}

bool schedule_lost(struct schedule *s, uint64_t run, struct instant now)
{
    schedule_observe(s, now);
    struct check *c = find_run(s, run);
    if (!c)
        return false;
    c->view.run = 0;
    schedule_circuit_lose(s, c, now);
    if (!c->enabled)
        c->view.tries = 0;
    schedule_set_due(s, c, c->enabled ? now.mono_ms : NEVER_MS);
    return true;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

const struct breaker *schedule_breaker(const struct schedule *s, uint32_t i, const char **name)
{
    if (i >= s->circuit_count)
        return NULL;
    if (name)
        *name = s->circuits[i]->name;
    return &s->circuits[i]->breaker;
}

uint32_t schedule_slot_count(const struct schedule *s)
{
    return s->slot_count;
}

uint32_t schedule_find(const struct schedule *s, const char *check_id)
{
    const struct check *c = map_get(&s->checks_by_id, check_id);
    return c ? c->slot : SCHEDULE_NONE;
}

const struct check_view *schedule_view(const struct schedule *s, uint32_t slot)
{
    static const struct check_view empty = { .text = "", .due_ms = NEVER_MS };
    return slot < s->slot_count && s->checks[slot] ? &s->checks[slot]->view : &empty;
}

enum belfry_state schedule_service_state(const struct schedule *s, const char *service)
{
    const struct service *found = map_get(&s->services, service);
    return found ? found->state : BELFRY_UNKNOWN;
}
