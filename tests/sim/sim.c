/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim - runs days of a schedule in a moment, with everything that goes wrong in them, and checks what must hold.
 *
 *     sim [--seeds N] [--first SEED] [--hours H]
 *
 * Each seed is one world (world.h) for one simulated day: 1 to 200 checks, breakers of their own and shared ones,
 * workers that are slow, crash, hang or lose runs, reloads, restarts from a snapshot and the events after it, breakers
 * held by hand, sleeps and stalls of the machine, wall clocks that are set. Then nothing fails any more, and all must
 * recover. It speaks TAP, one point a property; a failure names its seed: `sim --first SEED --seeds 1` repeats it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/schedule/schedule.h"
#include "core/schedule/timers.h"
#include "tests/sim/compare.h"
#include "tests/sim/observer.h"
#include "tests/sim/world.h"
#include "tests/tap.h"

#define WALL_START 1700000000000
#define ACTION_EVERY_MS 240000 /* on average something happens */
#define TRIES_WAIT_MS 4000     /* the longest back-off */
#define SOON_WAIT_MS 5000
#define SLACK_MS 1000

/* A run as the simulator knows it. */
struct run {
    uint64_t number; /* 0: none */
    struct course course;
    uint32_t spec;
    bool is_probe;
};

struct sim {
    struct world world;
    struct observer observer;
    struct schedule *schedule;
    struct config *config;
    int64_t true_ms;    /* what really passed */
    int64_t mono_shift; /* monotonic - true: another one after a reboot */
    int64_t wall_shift;
    int64_t action_ms, end_ms;
    struct run runs[WORLD_CHECKS_MAX];  /* by slot */
    struct timers ends;                 /* of runs, true time, by slot */
    int64_t calm_ms[WORLD_CHECKS_MAX];  /* by spec: since when it could run without disturbance */
    bool tries_again[WORLD_CHECKS_MAX]; /* by slot: within its run */
    bool by_hand;                       /* schedule_run_now() is being called */
    uint64_t dead_run;                  /* a number that is over */
    struct event *log;                  /* every event since the beginning */
    struct arena log_texts;
    uint32_t log_count, log_size;
    uint64_t digest; /* of all events and starts */
    struct buf snapshot;
    uint32_t snapshot_at; /* in the log */
    uint64_t run_count;
};

static struct instant at(const struct sim *sim)
{
    return (struct instant){ sim->true_ms + sim->mono_shift, sim->true_ms + sim->wall_shift };
}

/* ---- what the schedule says -------------------------------------------------------------------------------------- */

static void log_event(struct sim *sim, const struct event *event)
{
    if (sim->log_count == sim->log_size) {
        sim->log_size = sim->log_size ? sim->log_size * 2 : 1024;
        sim->log = heap_grow(sim->log, sim->log_size, sizeof *sim->log);
    }
    struct event *e = &sim->log[sim->log_count++];
    *e = *event;
    e->check = arena_text(&sim->log_texts, event->check);
    e->part = arena_text(&sim->log_texts, event->part);
    e->breaker = arena_text(&sim->log_texts, event->breaker);
    e->service = arena_text(&sim->log_texts, event->service);
    e->name = arena_text(&sim->log_texts, event->name);
    e->text = NULL;
    e->by = NULL;
}

static void mark_calm(struct sim *sim, const char *breaker)
{
    for (uint32_t slot = 0; slot < schedule_slot_count(sim->schedule); slot++) {
        const struct check_view *view = schedule_view(sim->schedule, slot);
        if (view->config && (!breaker || strcmp(view->breaker_name, breaker) == 0))
            sim->calm_ms[view->config->place.line] = sim->true_ms;
    }
}

static void on_emit(void *context, const struct event *event)
{
    struct sim *sim = context;
    sim->observer.true_ms = sim->true_ms;
    observer_see(&sim->observer, event);
    sim->digest = text_hash_more(sim->digest, &event->type, sizeof event->type);
    sim->digest = text_hash_more(sim->digest, &event->wall_ms, sizeof event->wall_ms);
    log_event(sim, event);
    if (event->type == EVENT_BREAKER_CLOSED)
        mark_calm(sim, event->breaker);
}

/* How long a check that is free to run may have waited since its last run ended. */
static void check_wait(struct sim *sim, uint32_t slot, const struct check_view *view)
{
    const struct check_config *c = view->config;
    int64_t waited_ms = sim->true_ms - sim->calm_ms[c->place.line];
    if (waited_ms > c->every_ms + SOON_WAIT_MS + TRIES_WAIT_MS + SLACK_MS &&
        observer_breaker(&sim->observer, view->breaker_name) == 0)
        observer_violate(&sim->observer, NO_STARVATION, "%s (slot %u, every %u) waited %lld ms", c->id, slot,
                         c->every_ms, (long long)waited_ms);
}

static void check_probe(struct sim *sim, uint32_t slot, const char *breaker, int state)
{
    struct run *run = &sim->runs[slot];
    if (sim->by_hand || state == 0 || sim->tries_again[slot])
        return;
    if (state == 1) {
        observer_violate(&sim->observer, BREAKER_SHUT, "slot %u started behind '%s'", slot, breaker);
        return;
    }
    run->is_probe = true;
    for (uint32_t other = 0; other < schedule_slot_count(sim->schedule); other++) {
        const struct check_view *view = schedule_view(sim->schedule, other);
        if (other != slot && sim->runs[other].number && sim->runs[other].is_probe && view->breaker_name &&
            strcmp(view->breaker_name, breaker) == 0)
            observer_violate(&sim->observer, ONE_PROBE, "slots %u and %u probe '%s'", slot, other, breaker);
    }
}

static void on_start(void *context, uint32_t slot, uint64_t number)
{
    struct sim *sim = context;
    const struct check_view *view = schedule_view(sim->schedule, slot);
    struct run *run = &sim->runs[slot];
    if (run->number)
        observer_violate(&sim->observer, ONE_RUN, "%s runs already", view->config->id);
    if (!view->config->enabled)
        observer_violate(&sim->observer, ONE_RUN, "%s is disabled", view->config->id);
    check_wait(sim, slot, view);
    *run = (struct run){ .number = number, .spec = (uint32_t)view->config->place.line };
    run->course = world_run(&sim->world, run->spec, sim->true_ms);
    check_probe(sim, slot, view->breaker_name, observer_breaker(&sim->observer, view->breaker_name));
    timers_set(&sim->ends, slot, sim->true_ms + run->course.ends_after_ms);
    sim->digest = text_hash_more(sim->digest, &number, sizeof number);
    sim->run_count++;
}

/* ---- what comes back --------------------------------------------------------------------------------------------- */

static bool send_result(struct sim *sim, uint64_t number, const struct run *run, bool *final_try)
{
    static const char *const names[] = {
        "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12"
    };
    struct result_part parts[16];
    struct judged_part judged[16];
    const struct course *course = &run->course;
    struct result result = { .end = course->end, .state = course->state, .reached = course->reached, .text = "text" };
    struct verdict verdict = { .state = course->state, .text = "text", .parts = judged };
    uint32_t first = (uint32_t)(sim->true_ms / 7200000 % 2); /* p0 is not there every other two hours */
    uint32_t count =
        course->reached && sim->world.specs[run->spec].parts > first ? sim->world.specs[run->spec].parts : first;
    for (uint32_t i = first; i < count; i++) {
        enum belfry_state state = course->bad_parts >> i & 1 ? BELFRY_WARNING : BELFRY_OK;
        parts[i - first] = (struct result_part){ names[i], state, "part" };
        judged[i - first] = (struct judged_part){ &parts[i - first], state, "part" };
    }
    result.parts = parts;
    result.part_count = verdict.part_count = count - first;
    return schedule_result(sim->schedule, number, &result, &verdict, at(sim), final_try);
}

static void end_run(struct sim *sim, uint32_t slot)
{
    struct run run = sim->runs[slot];
    bool final_try = false;
    timers_clear(&sim->ends, slot);
    sim->runs[slot].number = 0;
    sim->calm_ms[run.spec] = sim->true_ms;
    sim->dead_run = run.number;
    bool taken = run.course.lost ? schedule_lost(sim->schedule, run.number, at(sim))
                                 : send_result(sim, run.number, &run, &final_try);
    if (!taken)
        observer_violate(&sim->observer, STALE_DROPPED, "run %llu is not known", (unsigned long long)run.number);
    if (!run.course.lost)
        sim->tries_again[slot] = !final_try;
}

static void send_stale(struct sim *sim)
{
    struct run run = { .number = sim->dead_run, .course = { .state = BELFRY_CRITICAL } };
    bool final_try;
    schedule_tick(sim->schedule, at(sim)); /* says that the clock was set, if it was */
    uint64_t digest = sim->digest;
    if (sim->dead_run && (send_result(sim, run.number, &run, &final_try) ||
                          schedule_lost(sim->schedule, run.number, at(sim)) || digest != sim->digest))
        observer_violate(&sim->observer, STALE_DROPPED, "run %llu was taken again", (unsigned long long)run.number);
}

/* ---- restarts and reloads ---------------------------------------------------------------------------------------- */

static void open_schedule(struct sim *sim)
{
    struct schedule_ports ports = { sim, on_emit, on_start };
    sim->schedule = schedule_open(&ports, sim->world.seed);
}

static void forget_run(struct sim *sim, uint32_t slot)
{
    timers_clear(&sim->ends, slot);
    sim->runs[slot] = (struct run){ 0 };
    sim->tries_again[slot] = false;
}

static void configure(struct sim *sim)
{
    struct config *config = world_config(&sim->world);
    struct schedule_changes changes;
    schedule_configure(sim->schedule, config, at(sim), &changes);
    if (sim->config) {
        arena_close(&sim->config->arena);
        free(sim->config);
    }
    sim->config = config;
    mark_calm(sim, NULL);
    for (uint32_t slot = 0; slot < WORLD_CHECKS_MAX; slot++) {
        const struct check_view *view = schedule_view(sim->schedule, slot);
        if (sim->runs[slot].number && view->run != sim->runs[slot].number) {
            sim->dead_run = sim->runs[slot].number; /* its check was removed */
            forget_run(sim, slot);
        }
        if (!view->tries && !view->run)
            sim->tries_again[slot] = false;
    }
}

/* Half of the events go through JSON, as they do in the journal. */
static void replay_event(struct schedule *schedule, struct arena *arena, const struct event *event, uint32_t i)
{
    struct buf line = { 0 };
    struct event decoded;
    if (i % 2 == 0) {
        schedule_restore_event(schedule, event);
        return;
    }
    char when[TEXT_TIME_SIZE];
    buf_print(&line, "{\"at\":\"%s\",\"type\":\"%s\",", text_format_utc(when, event->wall_ms), event_name(event->type));
    event_encode(&line, event);
    buf_char(&line, '}');
    if (event_decode(arena, line.data, line.length, &decoded) == 0)
        schedule_restore_event(schedule, &decoded);
    buf_close(&line);
}

/* A schedule from the old snapshot (or none) and what was said since. */
static struct schedule *replay(struct sim *sim, bool with_snapshot)
{
    struct schedule_ports ports = { sim, on_emit, on_start };
    struct schedule *schedule = schedule_open(&ports, 1);
    struct arena arena = { 0 };
    uint32_t first = 0;
    if (with_snapshot && sim->snapshot.length) {
        if (schedule_restore_snapshot(schedule, sim->snapshot.data, sim->snapshot.length) != 0)
            observer_violate(&sim->observer, SAME_REPLAY, "the snapshot is refused");
        first = sim->snapshot_at;
    }
    for (uint32_t i = first; i < sim->log_count; i++)
        replay_event(schedule, &arena, &sim->log[i], i);
    arena_close(&arena);
    return schedule;
}

static void compare(struct sim *sim, struct schedule *replayed, const char *how)
{
    struct buf is = { 0 }, want = { 0 }, where = { 0 };
    schedule_snapshot(sim->schedule, &want);
    schedule_snapshot(replayed, &is);
    if (!compare_snapshots(&want, &is, &where))
        observer_violate(&sim->observer, SAME_REPLAY, "%s: %s", how, where.data);
    buf_close(&is);
    buf_close(&want);
    buf_close(&where);
}

static void take_snapshot(struct sim *sim)
{
    buf_reset(&sim->snapshot);
    schedule_snapshot(sim->schedule, &sim->snapshot);
    sim->snapshot_at = sim->log_count;
}

static void compare_replays(struct sim *sim)
{
    for (int with_snapshot = 0; with_snapshot < 2; with_snapshot++) {
        struct schedule *replayed = replay(sim, with_snapshot);
        compare(sim, replayed, with_snapshot ? "snapshot and events" : "events alone");
        schedule_close(&replayed);
    }
}

static void restart(struct sim *sim)
{
    if (world_draw(&sim->world, 2))
        take_snapshot(sim);
    struct schedule *replayed = replay(sim, world_draw(&sim->world, 8) != 0);
    compare(sim, replayed, "at a restart");
    schedule_close(&sim->schedule);
    sim->schedule = replayed;
    for (uint32_t slot = 0; slot < WORLD_CHECKS_MAX; slot++)
        forget_run(sim, slot);
    sim->dead_run = 0;
    sim->true_ms += world_draw(&sim->world, 600000);
    if (world_draw(&sim->world, 2))
        sim->mono_shift = 1000 - sim->true_ms; /* a reboot */
    if (world_draw(&sim->world, 2))
        world_mutate(&sim->world);
    observer_disturb(&sim->observer);
    configure(sim);
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

static void reload(struct sim *sim)
{
    world_mutate(&sim->world);
    configure(sim);
}

static void let_pass(struct sim *sim, int64_t ms)
{
    sim->true_ms += ms;
    observer_disturb(&sim->observer);
    sim->observer.true_ms = sim->true_ms;
    mark_calm(sim, NULL);
}

static void sleep_long(struct sim *sim)
{
    let_pass(sim, 60000 + world_draw(&sim->world, 8 * 3600000));
}

static void stall(struct sim *sim)
{
    let_pass(sim, world_draw(&sim->world, 90000));
}

static void set_clock(struct sim *sim)
{
    sim->wall_shift += (int64_t)world_draw(&sim->world, 7200000) - 3600000;
}

static void hold_breaker(struct sim *sim)
{
    const char *name = NULL;
    uint32_t count = 0;
    while (schedule_breaker(sim->schedule, count, NULL))
        count++;
    if (count == 0)
        return;
    schedule_breaker(sim->schedule, world_draw(&sim->world, count), &name);
    schedule_breaker_hold(sim->schedule, name, (enum breaker_hold)world_draw(&sim->world, 3), "sim", at(sim));
    mark_calm(sim, name);
}

static void run_by_hand(struct sim *sim)
{
    uint32_t slot = world_draw(&sim->world, WORLD_CHECKS_MAX);
    sim->by_hand = true;
    schedule_run_now(sim->schedule, slot, at(sim));
    sim->by_hand = false;
}

static void look_around(struct sim *sim)
{
    for (uint32_t slot = 0; slot < schedule_slot_count(sim->schedule); slot++) {
        const struct check_view *view = schedule_view(sim->schedule, slot);
        if (view->config && view->config->enabled && !view->run)
            check_wait(sim, slot, view);
    }
    observer_check_pauses(&sim->observer, SLACK_MS);
}

/* how often, what */
static const struct {
    uint32_t weight;
    void (*happen)(struct sim *sim);
} actions[] = {
    { 6, reload },        { 3, restart },         { 2, sleep_long },   { 3, stall },
    { 2, set_clock },     { 5, hold_breaker },    { 20, run_by_hand }, { 10, send_stale },
    { 3, take_snapshot }, { 3, compare_replays }, { 40, look_around },
};

static void act(struct sim *sim)
{
    uint32_t total = 0, i = 0;
    for (size_t k = 0; k < sizeof actions / sizeof actions[0]; k++)
        total += actions[k].weight;
    uint32_t luck = world_draw(&sim->world, total);
    while (luck >= actions[i].weight)
        luck -= actions[i++].weight;
    look_around(sim);
    actions[i].happen(sim);
    sim->action_ms = sim->true_ms + world_draw(&sim->world, 2 * ACTION_EVERY_MS);
}

/* ---- one world --------------------------------------------------------------------------------------------------- */

static void step(struct sim *sim)
{
    int64_t next_ms = schedule_next_ms(sim->schedule);
    const struct timer *end = timers_first(&sim->ends);
    int64_t tick_ms = next_ms == INT64_MAX ? INT64_MAX : next_ms - sim->mono_shift;
    int64_t end_ms = end ? end->due_ms : INT64_MAX;
    int64_t first_ms = tick_ms < end_ms ? tick_ms : end_ms;
    if (first_ms == INT64_MAX && sim->action_ms == INT64_MAX) { /* every check is disabled */
        sim->true_ms += ACTION_EVERY_MS;
        return;
    }
    if (sim->action_ms < first_ms) {
        sim->true_ms = sim->action_ms > sim->true_ms ? sim->action_ms : sim->true_ms;
        act(sim);
        return;
    }
    sim->true_ms = first_ms > sim->true_ms ? first_ms : sim->true_ms;
    if (end_ms <= tick_ms) {
        end_run(sim, end->item);
        return;
    }
    sim->true_ms += world_draw(&sim->world, 8) ? 0 : world_draw(&sim->world, 50);
    schedule_tick(sim->schedule, at(sim));
}

static void let_go_breakers(struct sim *sim)
{
    const char *name;
    for (uint32_t i = 0; schedule_breaker(sim->schedule, i, &name); i++)
        schedule_breaker_hold(sim->schedule, name, BREAKER_AUTO, "sim", at(sim));
    mark_calm(sim, NULL);
}

static void check_recovery(struct sim *sim)
{
    for (uint32_t slot = 0; slot < schedule_slot_count(sim->schedule); slot++) {
        const struct check_view *view = schedule_view(sim->schedule, slot);
        const struct standing *s = &view->standing;
        if (!view->config || !view->config->enabled)
            continue;
        if (!s->known || !s->hard || s->state != BELFRY_OK || s->hard_state != BELFRY_OK ||
            schedule_service_state(sim->schedule, view->config->service) != BELFRY_OK)
            observer_violate(&sim->observer, ALL_RECOVER, "%s is %s", view->config->id, state_name(s->state));
        if (view->breaker->state != BREAKER_CLOSED)
            observer_violate(&sim->observer, ALL_RECOVER, "breaker of %s is open", view->config->id);
    }
}

/* No more trouble: after two of the longest intervals and the longest pause everything must be OK. */
static void quieten(struct sim *sim)
{
    uint32_t longest_ms = 0;
    sim->world.quiet = true;
    let_go_breakers(sim);
    for (uint32_t i = 0; i < sim->config->check_count; i++) {
        if (sim->config->checks[i].every_ms > longest_ms)
            longest_ms = sim->config->checks[i].every_ms;
    }
    sim->action_ms = INT64_MAX;
    int64_t end_ms = sim->true_ms + 2 * (int64_t)longest_ms + 400000;
    while (sim->true_ms < end_ms)
        step(sim);
    look_around(sim);
    check_recovery(sim);
    compare_replays(sim);
}

static void close_sim(struct sim *sim)
{
    schedule_close(&sim->schedule);
    observer_close(&sim->observer);
    timers_close(&sim->ends);
    arena_close(&sim->config->arena);
    free(sim->config);
    arena_close(&sim->log_texts);
    free(sim->log);
    buf_close(&sim->snapshot);
}

struct totals {
    uint64_t runs, events, problems, openings;
};

/* Returns the digest of all that was decided. */
static uint64_t simulate(uint64_t seed, int64_t hours, struct violations *violations, struct totals *totals)
{
    static struct sim memory;
    struct sim *sim = &memory;
    memset(sim, 0, sizeof *sim);
    sim->observer.violations = violations;
    sim->observer.seed = seed;
    sim->wall_shift = WALL_START;
    sim->mono_shift = 1000000;
    sim->end_ms = hours * 3600000;
    world_open(&sim->world, seed);
    open_schedule(sim);
    configure(sim);
    while (sim->true_ms < sim->end_ms)
        step(sim);
    quieten(sim);
    uint64_t digest = sim->digest;
    totals->runs += sim->run_count;
    totals->events += sim->log_count;
    totals->problems += sim->observer.problems;
    totals->openings += sim->observer.openings;
    close_sim(sim);
    return digest;
}

static void report(const struct violations *v)
{
    static const char *const texts[PROPERTY_COUNT] = {
#define PROPERTY_TEXT_(id, text) text,
        PROPERTY_LIST(PROPERTY_TEXT_)
#undef PROPERTY_TEXT_
    };
    for (int i = 0; i < PROPERTY_COUNT; i++) {
        if (!tap_ok(v->count[i] == 0, "%s", texts[i]))
            printf("# %llu times, first with seed %llu: %s\n", (unsigned long long)v->count[i],
                   (unsigned long long)v->seed[i], v->text[i]);
    }
}

/* Under a sanitizer each takes five times as long. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 60
#else
#define SEEDS 200
#endif

int main(int argc, char **argv)
{
    static struct violations violations;
    struct totals totals = { 0 };
    int64_t seeds = SEEDS, first = 1, hours = 24;
    for (int i = 1; i + 1 < argc; i += 2) {
        int64_t *option = strcmp(argv[i], "--seeds") == 0   ? &seeds
                          : strcmp(argv[i], "--first") == 0 ? &first
                          : strcmp(argv[i], "--hours") == 0 ? &hours
                                                            : NULL;
        if (!option || text_integer(argv[i + 1], option) != 0) {
            fprintf(stderr, "usage: sim [--seeds N] [--first SEED] [--hours H]\n");
            return 2;
        }
    }
    for (int64_t seed = first; seed < first + seeds; seed++) {
        uint64_t digest = simulate((uint64_t)seed, hours, &violations, &totals);
        struct totals ignored = { 0 };
        if (seed < first + 3 && simulate((uint64_t)seed, hours, &violations, &ignored) != digest)
            violations.count[SAME_SEED]++;
    }
    printf("# %lld seeds from %lld: %llu runs, %llu events, %llu problems, %llu breakers opened\n", (long long)seeds,
           (long long)first, (unsigned long long)totals.runs, (unsigned long long)totals.events,
           (unsigned long long)totals.problems, (unsigned long long)totals.openings);
    report(&violations);
    return tap_done();
}
