/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule_private - what the files of the schedule share; nobody else includes it.
 *
 *     schedule.c            when: the timers, starting runs, results and lost runs
 *     schedule_judge.c      what a judged result means: standing, parts, flapping, the service
 *     schedule_circuit.c    circuit breakers and the checks that share them
 *     schedule_configure.c  a new configuration, matched to what is there
 *     schedule_state.c      snapshot and restore
 *     schedule_table.c      the tables of checks, circuits and services
 *
 * A check exists from check.added to check.removed; between schedule_restore_*() and schedule_configure() it has no
 * configuration yet. Until the first configuration the until_ms of a breaker is wall time (there is no monotonic clock
 * to translate to). */
#ifndef SCHEDULE_PRIVATE_H
#define SCHEDULE_PRIVATE_H

#include "core/base/map.h"
#include "core/schedule/schedule.h"
#include "core/schedule/timers.h"

#define SOON_MS 5000     /* "soon" is spread over this, or over the interval where it is shorter */
#define BLIND_MS 30000   /* so late, and the monitor says that it was blind */
#define STEP_MS 2000     /* the wall clock moves that much against the monotonic one: it was set */
#define RUN_SLOT_BITS 24 /* a run's number is a sequence above its slot */
#define NEVER_MS INT64_MAX

/* What a result says of the target. */
enum reach {
    REACHED,
    NOT_REACHED,
    REACH_UNSAID
};

struct slots {
    uint32_t *items;
    uint32_t count, size;
};

/* A breaker with the checks behind it. */
struct circuit {
    char *name;
    uint32_t number; /* in schedule.circuits and circuit_timers */
    struct breaker breaker;
    struct breaker_rules rules;
    struct slots members;
    struct check *probe; /* whose run decides a half-open breaker */
};

/* A service as the sum of its checks. */
struct service {
    char *name;
    enum belfry_state state; /* as last said */
    struct slots members;
};

struct check {
    struct check_view view;
    char *id;
    uint32_t slot;
    uint64_t hash;
    struct circuit *circuit; /* NULL before the first configuration */
    struct service *service;
    /* from the configuration */
    uint32_t every_ms, retry_every_ms;
    uint64_t schedule_mark, task_mark;
    bool enabled;
    bool wanted; /* the new configuration has it */
    /* times */
    int64_t grid_ms;    /* the next regular run, unrounded */
    int64_t started_ms; /* the last start; INT64_MIN: none */
};

struct schedule {
    struct schedule_ports ports;
    uint64_t seed;
    uint64_t sequence; /* of the last run */
    bool configured;

    struct check **checks; /* by slot; NULL: free */
    uint32_t slot_count, slot_size;
    uint32_t first_free; /* no slot below it is free */
    struct map checks_by_id;
    struct circuit **circuits; /* by number, without holes */
    uint32_t circuit_count, circuit_size;
    struct map circuits_by_name;
    struct map services;

    struct timers check_timers, circuit_timers;
    bool observed;
    int64_t wall_offset_ms; /* wall - monotonic, as last seen */
    struct arena changes;   /* the ids of the last schedule_configure() */
};

/* ---- schedule_table.c */
struct check *schedule_check_add(struct schedule *s, const char *id);
struct check *schedule_check_get(struct schedule *s, const char *id); /* finds or adds */
void schedule_check_drop(struct schedule *s, struct check *c);
struct circuit *schedule_circuit_get(struct schedule *s, const char *name); /* finds or adds */
/* Changes the number of another one: arm them all again afterwards. */
void schedule_circuit_drop(struct schedule *s, struct circuit *circuit);
void schedule_slots_add(struct slots *slots, uint32_t slot);
void schedule_part_drop(struct check *c, uint32_t i);
struct part_view *schedule_part_add(struct check *c, const char *name);
struct part_view *schedule_parts(struct check *c);
/* Copies text over what *kept owns, unless it is the same already. */
void schedule_keep_text(const char **kept, const char *text);
void schedule_forget_all(struct schedule *s);

/* ---- schedule.c */
void schedule_emit(struct schedule *s, struct event event, struct instant now);
/* Notices steps of the wall clock. */
void schedule_observe(struct schedule *s, struct instant now);
void schedule_set_due(struct schedule *s, struct check *c, int64_t due_ms);
/* A stable share of min(every, SOON_MS), so that many "soon"s don't fall together. */
int64_t schedule_spread_ms(const struct check *c, int64_t every_ms);
bool schedule_is_idle(const struct check *c); /* enabled, and neither running nor about to try again */
void schedule_start(struct schedule *s, struct check *c, struct instant now);

/* ---- schedule_judge.c */
void schedule_judge(struct schedule *s, struct check *c, const struct result *result, const struct verdict *verdict,
                    struct instant now);
/* What the plugin itself has to tell: it happened, also in a try that is not judged. */
void schedule_emit_events(struct schedule *s, const struct check *c, const struct result *result, struct instant now);
/* Confirms a soft problem at once. */
void schedule_harden(struct schedule *s, struct check *c, struct instant now);
void schedule_update_service(struct schedule *s, struct service *service, struct instant now);

/* ---- schedule_circuit.c */
/* Arms the timer by the breaker's state; half-open without a probe is looked at in the next tick. */
void schedule_circuit_arm(struct schedule *s, struct circuit *circuit, struct instant now);
void schedule_circuit_tick(struct schedule *s, struct circuit *circuit, struct instant now);
/* Whether the check may start; makes it the probe where one is due. */
bool schedule_circuit_admit(struct check *c);
bool schedule_circuit_may_retry(const struct check *c);
void schedule_circuit_judge(struct schedule *s, struct check *c, enum reach reach, struct instant now);
void schedule_circuit_lose(struct schedule *s, struct check *c, struct instant now);
/* The configuration has no use for it any more: said, then dropped. */
void schedule_circuit_retire(struct schedule *s, struct circuit *circuit, struct instant now);

#endif
