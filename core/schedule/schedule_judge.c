/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule_judge - what the final result of a run means: standing, parts, flapping, the plugin's own events, and the
 * service's state. Every change that a restart must know is an event.
 *
 * Parts are kept in the order of the result. A part that a result does not name is gone, unless the result says little:
 * the target was not reached, the run did not return, something was cut, or the plugin found nothing to say
 * (UNKNOWN without any part). */
#include <string.h>

#include "core/schedule/schedule_private.h"

/* A recovery from an unconfirmed problem is soft, as in Nagios: nobody was told of the problem. */
static void emit_state(struct schedule *s, const struct check *c, const struct part_view *part,
                       const struct standing_change *change, struct instant now)
{
    const struct standing *standing = part ? &part->standing : &c->view.standing;
    struct event event = { .type = part ? EVENT_PART_STATE : EVENT_CHECK_STATE, .check = c->id };
    event.part = part ? part->name : NULL;
    event.from = change->from;
    event.to = standing->state;
    event.hard = standing->state == BELFRY_OK ? change->hard_changed : standing->hard;
    event.attempt = standing->attempt;
    event.attempts = c->view.config->attempts;
    event.text = part ? part->text : c->view.text;
    schedule_emit(s, event, now);
}

/* ---- the service ------------------------------------------------------------------------------------------------- */

void schedule_update_service(struct schedule *s, struct service *service, struct instant now)
{
    enum belfry_state worst = BELFRY_OK;
    bool any = false;
    for (uint32_t i = 0; i < service->members.count; i++) {
        const struct check *c = s->checks[service->members.items[i]];
        if (c->enabled && standing_is_confirmed(&c->view.standing)) {
            worst = state_worse(worst, c->view.standing.hard_state);
            any = true;
        }
    }
    if (!any)
        worst = BELFRY_UNKNOWN;
    if (worst == service->state)
        return;
    struct event event = { .type = EVENT_SERVICE_STATE, .service = service->name, .hard = true };
    event.from = service->state;
    event.to = service->state = worst;
    schedule_emit(s, event, now);
}

/* ---- the check --------------------------------------------------------------------------------------------------- */

static void step_check(struct schedule *s, struct check *c, enum belfry_state state, struct instant now)
{
    struct standing_change change = standing_step(&c->view.standing, state, c->view.config->attempts, now.wall_ms);
    if (change.state_changed)
        emit_state(s, c, NULL, &change, now);
    if (change.hard_changed)
        schedule_update_service(s, c->service, now);
}

void schedule_harden(struct schedule *s, struct check *c, struct instant now)
{
    if (!standing_is_soft_problem(&c->view.standing) || !c->view.config)
        return;
    struct standing_change change = standing_harden(&c->view.standing, now.wall_ms);
    emit_state(s, c, NULL, &change, now);
    schedule_update_service(s, c->service, now);
}

static void step_flapping(struct schedule *s, struct check *c, enum belfry_state state, struct instant now)
{
    struct flapping *flapping = &c->view.flapping;
    if (!flapping_counts(&c->view.standing) || !flapping_step(flapping, state, &c->view.config->flapping))
        return;
    struct event event = { .type = EVENT_CHECK_FLAPPING, .check = c->id, .on = flapping->flapping };
    event.percent = flapping_percent(flapping);
    schedule_emit(s, event, now);
}

void schedule_emit_events(struct schedule *s, const struct check *c, const struct result *result, struct instant now)
{
    for (uint32_t i = 0; i < result->event_count; i++) {
        const struct result_event *e = &result->events[i];
        struct event event = { .type = EVENT_CHECK_EVENT, .check = c->id };
        event.name = e->type;
        event.part = e->part;
        event.text = e->text;
        schedule_emit(s, event, now);
    }
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static void swap_parts(struct part_view *a, struct part_view *b)
{
    struct part_view kept = *a;
    *a = *b;
    *b = kept;
}

/* The part of that name, brought to place i; it is usually there already. Parts below i are named by this result. */
static struct part_view *take_part(struct check *c, uint32_t i, const char *name)
{
    for (uint32_t k = i; k < c->view.part_count; k++) {
        struct part_view *parts = schedule_parts(c);
        if (strcmp(parts[k].name, name) == 0) {
            swap_parts(parts + i, parts + k);
            return parts + i;
        }
    }
    schedule_part_add(c, name);
    swap_parts(schedule_parts(c) + i, schedule_parts(c) + c->view.part_count - 1);
    return schedule_parts(c) + i;
}

static bool is_named_before(const struct check *c, uint32_t i, const char *name)
{
    for (uint32_t k = 0; k < i; k++) {
        if (strcmp(c->view.parts[k].name, name) == 0)
            return true;
    }
    return false;
}

static void step_part(struct schedule *s, struct check *c, struct part_view *part, const struct judged_part *judged,
                      struct instant now)
{
    schedule_keep_text(&part->text, judged->text);
    struct standing_change change =
        standing_step(&part->standing, judged->state, c->view.config->attempts, now.wall_ms);
    if (change.state_changed)
        emit_state(s, c, part, &change, now);
}

static void drop_parts(struct schedule *s, struct check *c, uint32_t from, struct instant now)
{
    while (c->view.part_count > from) {
        uint32_t last = c->view.part_count - 1;
        struct event event = { .type = EVENT_PART_GONE, .check = c->id, .part = c->view.parts[last].name };
        schedule_emit(s, event, now);
        schedule_part_drop(c, last);
    }
}

static bool names_all_parts(const struct result *result)
{
    return !result->truncated && (result->part_count > 0 || result->state != BELFRY_UNKNOWN);
}

static void step_parts(struct schedule *s, struct check *c, const struct result *result, const struct verdict *verdict,
                       struct instant now)
{
    if (!result->reached || result->end != RESULT_RETURNED)
        return;
    uint32_t named = 0;
    for (uint32_t i = 0; i < verdict->part_count; i++) {
        const struct judged_part *judged = &verdict->parts[i];
        const char *name = judged->part->name;
        bool in_place = named < c->view.part_count && strcmp(c->view.parts[named].name, name) == 0;
        if (!in_place && is_named_before(c, named, name))
            continue; /* twice in one result: the first counts */
        step_part(s, c, take_part(c, named, name), judged, now);
        named++;
    }
    uint32_t bound = names_all_parts(result) ? named : 2 * RESULT_PARTS_MAX;
    drop_parts(s, c, bound > named ? bound : named, now);
}

void schedule_judge(struct schedule *s, struct check *c, const struct result *result, const struct verdict *verdict,
                    struct instant now)
{
    c->view.runs++;
    c->view.last_run_wall_ms = now.wall_ms;
    if (verdict->state == BELFRY_OK)
        c->view.last_ok_wall_ms = now.wall_ms;
    schedule_keep_text(&c->view.text, verdict->text);
    step_check(s, c, verdict->state, now);
    step_parts(s, c, result, verdict, now);
    step_flapping(s, c, verdict->state, now);
}
