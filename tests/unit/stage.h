/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stage - a schedule on a stage: a small configuration, a clock that the test moves, workers that answer as they are
 * told, and a list of all events. */
#ifndef TESTS_UNIT_STAGE_H
#define TESTS_UNIT_STAGE_H

#include <stdlib.h>
#include <string.h>

#include "core/schedule/schedule.h"
#include "tests/tap.h"

#define STAGE_CHECKS 128
#define STAGE_EVENTS 8192
#define STAGE_WALL 1700000000000 /* the wall clock at the start */
#define STAGE_MONO 5000          /* the monotonic one */

/* How the runs of a check end from now on. */
struct outcome {
    enum belfry_state state;
    bool unreached;
    enum result_end end;
    bool silent; /* they never do */
    uint32_t after_ms;
    struct result_part *parts;
    uint32_t part_count;
    bool truncated;
    const char *text;
    struct result_event *event; /* one, or none */
};

struct stage {
    struct arena arena;
    struct schedule *schedule;
    struct instant now;
    struct config config;
    struct check_config checks[STAGE_CHECKS];
    struct outcome outcomes[STAGE_CHECKS]; /* by slot */
    struct event events[STAGE_EVENTS];
    uint32_t event_count;
    uint64_t runs[STAGE_CHECKS]; /* by slot: in progress, or 0 */
    int64_t ends_ms[STAGE_CHECKS];
    uint32_t starts[STAGE_CHECKS];
    int64_t started_ms[STAGE_CHECKS];
    uint32_t double_starts;
    uint32_t running;
};

static inline void on_emit(void *context, const struct event *event)
{
    struct stage *stage = context;
    struct event *e = &stage->events[stage->event_count++ % STAGE_EVENTS];
    *e = *event;
    e->check = arena_text(&stage->arena, event->check);
    e->part = arena_text(&stage->arena, event->part);
    e->breaker = arena_text(&stage->arena, event->breaker);
    e->service = arena_text(&stage->arena, event->service);
    e->name = arena_text(&stage->arena, event->name);
    e->by = arena_text(&stage->arena, event->by);
    e->text = arena_text(&stage->arena, event->text);
}

static inline void on_start(void *context, uint32_t slot, uint64_t run)
{
    struct stage *stage = context;
    stage->double_starts += stage->runs[slot] != 0;
    stage->runs[slot] = run;
    stage->starts[slot]++;
    stage->started_ms[slot] = stage->now.mono_ms;
    stage->ends_ms[slot] =
        stage->outcomes[slot].silent ? INT64_MAX : stage->now.mono_ms + stage->outcomes[slot].after_ms;
}

static inline void stage_open(struct stage *stage)
{
    memset(stage, 0, sizeof *stage);
    stage->now = (struct instant){ .mono_ms = STAGE_MONO, .wall_ms = STAGE_WALL };
    stage->config.checks = stage->checks;
    struct schedule_ports ports = { stage, on_emit, on_start };
    stage->schedule = schedule_open(&ports, 42);
}

static inline void stage_close(struct stage *stage)
{
    schedule_close(&stage->schedule);
    arena_close(&stage->arena);
}

/* Another schedule with the same configuration: the daemon was restarted. */
static inline void stage_restart(struct stage *stage)
{
    struct schedule_ports ports = { stage, on_emit, on_start };
    schedule_close(&stage->schedule);
    stage->schedule = schedule_open(&ports, 43);
    memset(stage->runs, 0, sizeof stage->runs);
    stage->now.mono_ms = 777;
}

/* every 60 s, 2 attempts, retry after 20 s, no tries, breaker of its own that never opens */
static inline struct check_config *stage_add(struct stage *stage, const char *id)
{
    struct check_config *c = &stage->checks[stage->config.check_count++];
    *c = (struct check_config){ .id = id, .every_ms = 60000, .retry_every_ms = 20000, .timeout_ms = 10000 };
    c->service = arena_text_n(&stage->arena, id, strcspn(id, "/"));
    c->attempts = 2;
    c->retry.attempts = 1;
    c->breaker = (struct breaker_config){ .name = id, .failures = 0, .open_ms = 30000, .open_max_ms = 300000 };
    c->flapping = (struct flapping_config){ .enabled = true, .low = 5, .high = 20 };
    c->enabled = true;
    return c;
}

static inline struct schedule_changes stage_configure(struct stage *stage)
{
    struct schedule_changes changes;
    schedule_configure(stage->schedule, &stage->config, stage->now, &changes);
    return changes;
}

static inline bool stage_answer(struct stage *stage, uint32_t slot, uint64_t run)
{
    const struct outcome *outcome = &stage->outcomes[slot];
    const char *text = outcome->text ? outcome->text : state_name(outcome->state);
    struct result result = { .end = outcome->end, .state = outcome->state, .text = text };
    struct judged_part parts[16];
    struct verdict verdict = { .state = outcome->state, .text = text, .parts = parts };
    bool final_try = false;
    result.reached = !outcome->unreached;
    result.truncated = outcome->truncated;
    result.events = outcome->event;
    result.event_count = outcome->event != NULL;
    result.parts = outcome->parts;
    result.part_count = verdict.part_count = outcome->part_count;
    for (uint32_t i = 0; i < outcome->part_count; i++)
        parts[i] = (struct judged_part){ &outcome->parts[i], outcome->parts[i].state, outcome->parts[i].text };
    stage->runs[slot] = 0;
    return schedule_result(stage->schedule, run, &result, &verdict, stage->now, &final_try) && final_try;
}

static inline void stage_move(struct stage *stage, int64_t mono_ms)
{
    stage->now.wall_ms += mono_ms - stage->now.mono_ms;
    stage->now.mono_ms = mono_ms;
}

static inline uint32_t stage_next_end(const struct stage *stage)
{
    uint32_t found = STAGE_CHECKS;
    for (uint32_t slot = 0; slot < STAGE_CHECKS; slot++) {
        if (stage->runs[slot] && (found == STAGE_CHECKS || stage->ends_ms[slot] < stage->ends_ms[found]))
            found = slot;
    }
    return found;
}

/* Lets the time pass, as the keeper would: ticks when it is time, answers when runs end. */
static inline void stage_play(struct stage *stage, int64_t ms)
{
    int64_t end_ms = stage->now.mono_ms + ms;
    for (;;) {
        uint32_t slot = stage_next_end(stage);
        int64_t answer_ms = slot < STAGE_CHECKS ? stage->ends_ms[slot] : INT64_MAX;
        int64_t tick_ms = schedule_next_ms(stage->schedule);
        int64_t at_ms = answer_ms < tick_ms ? answer_ms : tick_ms;
        if (at_ms > end_ms)
            break;
        if (at_ms > stage->now.mono_ms)
            stage_move(stage, at_ms);
        if (answer_ms <= tick_ms)
            stage_answer(stage, slot, stage->runs[slot]);
        else
            schedule_tick(stage->schedule, stage->now);
    }
    stage_move(stage, end_ms);
}

static inline uint32_t stage_slot(const struct stage *stage, const char *id)
{
    return schedule_find(stage->schedule, id);
}

static inline const struct check_view *stage_view(const struct stage *stage, const char *id)
{
    return schedule_view(stage->schedule, stage_slot(stage, id));
}

static inline struct outcome *stage_outcome(struct stage *stage, const char *id)
{
    return &stage->outcomes[stage_slot(stage, id)];
}

static inline void stage_forget_events(struct stage *stage)
{
    stage->event_count = 0;
}

static inline uint32_t stage_count(const struct stage *stage, enum event_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->event_count && i < STAGE_EVENTS; i++)
        count += stage->events[i].type == type;
    return count;
}

/* The newest of its type, or one without anything. */
static inline const struct event *stage_last(const struct stage *stage, enum event_type type)
{
    static const struct event none = { .type = EVENT_TYPE_COUNT, .text = "", .check = "" };
    for (uint32_t i = stage->event_count; i-- > 0;) {
        if (stage->events[i].type == type)
            return &stage->events[i];
    }
    return &none;
}

#endif
