/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule_configure - a new configuration, matched by id to what is there.
 *
 * The grid of regular runs: wall time divided by the interval, shifted by the stable hash of the id. It is found once
 * (for a new check, after a restart, when the interval changed) and from then on moves on the monotonic clock. */
#include <string.h>

#include "core/schedule/schedule_private.h"

/* ---- times ------------------------------------------------------------------------------------------------------- */

static void find_grid(struct check *c, struct instant now)
{
    int64_t every = c->every_ms, phase = (int64_t)(c->hash % c->every_ms);
    int64_t past = ((now.wall_ms - phase) % every + every) % every;
    c->grid_ms = now.mono_ms + every - past;
}

/* How long a check that is not running has to wait, by what is remembered of its last run. */
static int64_t find_wait(const struct check *c, struct instant now)
{
    const struct check_view *view = &c->view;
    int64_t age_ms = now.wall_ms - view->last_run_wall_ms;
    if (view->last_run_wall_ms == 0)
        return schedule_spread_ms(c, c->every_ms);
    if (standing_is_soft_problem(&view->standing) && age_ms >= 0)
        return age_ms < c->retry_every_ms ? c->retry_every_ms - age_ms : schedule_spread_ms(c, c->retry_every_ms);
    if (age_ms > c->every_ms)
        return schedule_spread_ms(c, c->every_ms);
    return c->grid_ms - now.mono_ms;
}

static void plan(struct schedule *s, struct check *c, struct instant now)
{
    if (!c->enabled)
        schedule_set_due(s, c, NEVER_MS);
    else if (schedule_is_idle(c))
        schedule_set_due(s, c, now.mono_ms + find_wait(c, now));
}

/* ---- one check --------------------------------------------------------------------------------------------------- */

/* The members are listed anew in each configuration. */
static void join_circuit(struct schedule *s, struct check *c, struct instant now)
{
    const struct breaker_config *rules = &c->view.config->breaker;
    struct circuit *circuit = schedule_circuit_get(s, rules->name);
    if (c->circuit != circuit)
        schedule_circuit_lose(s, c, now);
    c->circuit = circuit;
    circuit->rules = (struct breaker_rules){ rules->failures, rules->open_ms, rules->open_max_ms };
    schedule_slots_add(&circuit->members, c->slot);
}

/* A disabled check finishes the run that is in progress, but tries no more. */
static void stop_trying(struct schedule *s, struct check *c, struct instant now)
{
    if (c->view.run)
        return;
    schedule_circuit_lose(s, c, now);
    c->view.tries = 0;
}

static bool differs(const struct check *c, const struct check_config *config)
{
    return c->schedule_mark != config->schedule_mark || c->task_mark != config->task_mark ||
           c->enabled != config->enabled;
}

static void apply_config(struct schedule *s, struct check *c, const struct check_config *config, struct instant now)
{
    bool is_new = !c->view.config;
    bool new_grid = is_new || c->every_ms != config->every_ms;
    bool new_plan = new_grid || c->retry_every_ms != config->retry_every_ms || c->enabled != config->enabled;

    c->view.config = config;
    c->every_ms = config->every_ms ? config->every_ms : 1;
    c->retry_every_ms = config->retry_every_ms ? config->retry_every_ms : 1;
    c->enabled = config->enabled;
    c->schedule_mark = config->schedule_mark;
    c->task_mark = config->task_mark;
    join_circuit(s, c, now);
    c->view.breaker_name = c->circuit->name;
    c->view.breaker = &c->circuit->breaker;
    if (!c->enabled)
        stop_trying(s, c, now);
    if (new_grid)
        find_grid(c, now);
    if (new_plan)
        plan(s, c, now);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

struct id_list {
    const char **ids;
    uint32_t count;
};

static struct id_list open_list(struct schedule *s, uint32_t max)
{
    return (struct id_list){ .ids = arena_array(&s->changes, (size_t)max + 1, sizeof(char *)) };
}

static void list_id(struct schedule *s, struct id_list *list, const char *id)
{
    list->ids[list->count++] = arena_text(&s->changes, id);
}

static void mark_wanted(struct schedule *s, const struct config *config)
{
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->checks[i])
            s->checks[i]->wanted = false;
    }
    for (uint32_t i = 0; i < config->check_count; i++) {
        struct check *c = map_get(&s->checks_by_id, config->checks[i].id);
        if (c)
            c->wanted = true;
    }
}

static void remove_unwanted(struct schedule *s, struct id_list *removed, struct instant now)
{
    for (uint32_t i = 0; i < s->slot_count; i++) {
        struct check *c = s->checks[i];
        if (!c || c->wanted)
            continue;
        schedule_circuit_lose(s, c, now);
        list_id(s, removed, c->id);
        schedule_emit(s, (struct event){ .type = EVENT_CHECK_REMOVED, .check = c->id }, now);
        schedule_check_drop(s, c);
    }
}

/* What was restored has wall times. */
static void translate_times(struct schedule *s, struct instant now)
{
    for (uint32_t i = 0; i < s->circuit_count; i++) {
        struct breaker *b = &s->circuits[i]->breaker;
        if (b->state != BREAKER_OPEN || b->until_ms == NEVER_MS)
            continue;
        int64_t left_ms = b->until_ms - now.wall_ms;
        left_ms = left_ms < 0 ? 0 : left_ms > b->pause_ms ? b->pause_ms : left_ms;
        b->until_ms = now.mono_ms + left_ms;
    }
}

static void settle_circuits(struct schedule *s, struct instant now)
{
    for (uint32_t i = 0; i < s->circuit_count;) {
        if (s->circuits[i]->members.count == 0)
            schedule_circuit_retire(s, s->circuits[i], now);
        else
            i++;
    }
    for (uint32_t i = 0; i < s->circuit_count; i++)
        schedule_circuit_arm(s, s->circuits[i], now);
}

static void update_services(struct schedule *s, struct instant now)
{
    struct service *service;
    for (size_t i = 0; (service = map_next(&s->services, &i)) != NULL;)
        schedule_update_service(s, service, now);
}

static void apply_all(struct schedule *s, const struct config *config, struct instant now,
                      struct schedule_changes *changes)
{
    struct id_list added = open_list(s, config->check_count), changed = open_list(s, config->check_count);
    for (uint32_t i = 0; i < config->check_count; i++) {
        const struct check_config *wanted = &config->checks[i];
        struct check *c = map_get(&s->checks_by_id, wanted->id);
        if (!c) {
            c = schedule_check_add(s, wanted->id);
            c->wanted = true;
            list_id(s, &added, wanted->id);
            schedule_emit(s, (struct event){ .type = EVENT_CHECK_ADDED, .check = c->id }, now);
        } else if (c->view.config && differs(c, wanted)) {
            list_id(s, &changed, wanted->id);
        }
        apply_config(s, c, wanted, now);
    }
    changes->added = added.count;
    changes->added_ids = added.ids;
    changes->changed = changed.count;
    changes->changed_ids = changed.ids;
    changes->kept = config->check_count - added.count - changed.count;
}

void schedule_configure(struct schedule *s, const struct config *config, struct instant now,
                        struct schedule_changes *changes)
{
    arena_reset(&s->changes);
    schedule_observe(s, now);
    if (!s->configured)
        translate_times(s, now);
    s->configured = true;

    struct id_list removed = open_list(s, s->slot_count);
    mark_wanted(s, config);
    remove_unwanted(s, &removed, now);
    for (uint32_t i = 0; i < s->circuit_count; i++)
        s->circuits[i]->members.count = 0;
    apply_all(s, config, now, changes);
    changes->removed = removed.count;
    changes->removed_ids = removed.ids;
    settle_circuits(s, now);
    update_services(s, now);
}
