/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule - when each check runs and what its results mean: timer heap, spreading, retries within a run, soft and hard
 * states, flapping, parts, services, circuit breakers. Pure: no system call, the time is an argument, what it decides
 * goes out through two ports. The keeper drives it with real time, tests/sim with simulated time.
 *
 * Rules. A check never runs twice at once. Regular runs lie on a grid: wall time divided by every, offset by the stable
 * hash of the id, so that checks are spread and a restart comes back to the same phase; between restarts the grid moves
 * on the monotonic clock. Due times are rounded up to SCHEDULE_TICK_MS so that starts are batched. What was missed
 * (stall, suspend) is skipped and counted, and one run is made, spread over a short while. A check that never ran
 * starts within min(every, 5 s). While a state is soft and a problem, the next run is retry_every after the result. A
 * run whose result is not `reached` is tried again after the back-off (retry.attempts) before it counts; only the last
 * try is judged. A run that broke the framework's rules, or whose plugin can't be had (RESULT_MISUSE), says nothing
 * about the target: it is judged at once, and the breaker learns neither a success nor a failure. */
#ifndef SCHEDULE_SCHEDULE_H
#define SCHEDULE_SCHEDULE_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/model/config.h"
#include "core/model/event.h"
#include "core/model/verdict.h"
#include "core/schedule/breaker.h"
#include "core/schedule/judge.h"

#define SCHEDULE_TICK_MS 10
#define SCHEDULE_NONE UINT32_MAX

/* Where decisions go. Both are called from inside schedule_*() and must not call back into the schedule. */
struct schedule_ports {
    void *context;
    /* Something to record; the event's texts live for the call. */
    void (*emit)(void *context, const struct event *event);
    /* Run the check in this slot. The answer is schedule_result() or schedule_lost() with the same run number, some
     * day. */
    void (*start)(void *context, uint32_t slot, uint64_t run);
};

struct part_view {
    const char *name, *text;
    struct standing standing;
};

/* What is known of a check; valid until the next call that takes the schedule non-const. */
struct check_view {
    const struct check_config *config; /* NULL for an empty slot */
    struct standing standing;
    struct flapping flapping;
    const char *text;                          /* of the last judged result; "" before the first */
    uint64_t run;                              /* the run in progress, or 0 */
    int64_t due_ms;                            /* monotonic: next start; INT64_MAX: none planned */
    int64_t last_run_wall_ms, last_ok_wall_ms; /* end of the last judged run; 0: never */
    uint32_t tries;                            /* failed tries of the current run */
    uint64_t runs, missed, skipped;            /* judged; missed by lateness; skipped by an open breaker */
    const char *breaker_name;
    const struct breaker *breaker;
    const struct part_view *parts; /* in the result's order */
    uint32_t part_count;
};

struct schedule_changes {
    uint32_t added, changed, removed, kept;
    /* ids, NULL-terminated, valid until the next call */
    const char *const *added_ids, *const *changed_ids, *const *removed_ids;
};

struct schedule;

/* seed: for jitter; the same seed and inputs give the same decisions. */
struct schedule *schedule_open(const struct schedule_ports *ports, uint64_t seed);
void schedule_close(struct schedule **schedule);

/* Before the first schedule_configure(): what is remembered. First the snapshot (what schedule_snapshot() wrote; 0 or
 * ERROR_SYNTAX, then as if there were none), then every later event of the journal in order. Emits nothing. */
int schedule_restore_snapshot(struct schedule *schedule, const char *json, size_t length);
void schedule_restore_event(struct schedule *schedule, const struct event *event);
/* What must survive a restart, as one JSON object: states, attempts, flapping, parts, breakers, counts, last texts. */
void schedule_snapshot(const struct schedule *schedule, struct buf *out);

/* A new configuration (borrowed until the next one). Checks are matched by id: a slot, state, attempts, breaker, phase
 * and run in progress stay when nothing they depend on changed (schedule_mark, task_mark); a changed check keeps its
 * state and gets its new rules; a removed one emits check.removed and its run in progress is forgotten. Slots of kept
 * checks never change. */
void schedule_configure(struct schedule *schedule, const struct config *config, struct instant now,
                        struct schedule_changes *changes);

/* Starts what is due, half-opens breakers. */
void schedule_tick(struct schedule *schedule, struct instant now);
/* When to tick next (monotonic); INT64_MAX: never. */
int64_t schedule_next_ms(const struct schedule *schedule);
/* The result of a run, judged already by verdict_judge() (the plugin's own events are recorded whether it is the final
 * try or not). False, and nothing happens, when no such run is in progress
 * (a dead generation, a removed check). final_try: false when the run is tried again and the result was not judged. */
bool schedule_result(struct schedule *schedule, uint64_t run, const struct result *result,
                     const struct verdict *verdict, struct instant now, bool *final_try);
/* The run did not take place or was lost through no fault of its own: it starts again at once and counts nothing. */
bool schedule_lost(struct schedule *schedule, uint64_t run, struct instant now);
/* An extra run now (or the one in progress): its number, or 0 when the breaker is held open or the slot is empty. */
uint64_t schedule_run_now(struct schedule *schedule, uint32_t slot, struct instant now);
/* By hand. ERROR_UNKNOWN_NAME when there is no such breaker. */
int schedule_breaker_hold(struct schedule *schedule, const char *breaker, enum breaker_hold hold, const char *by,
                          struct instant now);
/* All breakers: for (i = 0; (b = schedule_breaker(s, i, &name)) != NULL; i++) */
const struct breaker *schedule_breaker(const struct schedule *schedule, uint32_t i, const char **name);

uint32_t schedule_slot_count(const struct schedule *schedule);                 /* slots in use or free below this */
uint32_t schedule_find(const struct schedule *schedule, const char *check_id); /* or SCHEDULE_NONE */
const struct check_view *schedule_view(const struct schedule *schedule, uint32_t slot);
/* Worst hard state of the service's enabled checks; UNKNOWN while none of them has one. */
enum belfry_state schedule_service_state(const struct schedule *schedule, const char *service);

#endif
