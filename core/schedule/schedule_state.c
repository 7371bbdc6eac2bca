/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule_state - what survives a restart: the snapshot, and the fold over the journal's later events.
 *
 * The snapshot is one JSON object:
 *     {"version":1,
 *      "checks":{ID:{"standing":STANDING, "parts":{NAME:{"standing":STANDING,"text":…}}, "flapping":true,
 *                    "last":{"text":…,"run":…,"ok":…,"runs":…,"missed":…,"skipped":…,"changes":…,"results":…,"state":…}}},
 *      "breakers":{NAME:{"state":…,"hold":…,"failures":…,"pause":…,"until":…}},
 *      "services":{NAME:STATE}}
 *     STANDING: {"state":…,"hard_state":…,"hard":…,"attempt":…,"since":…,"hard_since":…}, absent before a first result
 * Times are wall time in milliseconds. "last" is convenience: the newest text, counters and the bits of flapping. All
 * the rest, and nothing of "last", follows from the events alone. A part's text, and the failures of a closed breaker,
 * are convenience too. Breakers in their first state are left out. */
#include <jansson.h>
#include <string.h>

#include "core/base/text.h"
#include "core/schedule/schedule_private.h"

#define SNAPSHOT_VERSION 1

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put_standing(struct buf *out, const struct standing *standing)
{
    buf_print(out,
              "\"standing\":{\"state\":\"%s\",\"hard_state\":\"%s\",\"hard\":%s,\"attempt\":%u,\"since\":%lld,"
              "\"hard_since\":%lld}",
              state_name(standing->state), state_name(standing->hard_state), standing->hard ? "true" : "false",
              standing->attempt, (long long)standing->since_wall_ms, (long long)standing->hard_since_wall_ms);
}

static void put_parts(struct buf *out, const struct check_view *view)
{
    buf_text(out, "\"parts\":{");
    for (uint32_t i = 0; i < view->part_count; i++) {
        const struct part_view *part = &view->parts[i];
        if (i)
            buf_char(out, ',');
        buf_json_text(out, part->name);
        buf_text(out, ":{");
        put_standing(out, &part->standing);
        buf_text(out, ",\"text\":");
        buf_json_text(out, part->text);
        buf_char(out, '}');
    }
    buf_text(out, "},");
}

static void put_check(struct buf *out, const struct check *c)
{
    const struct check_view *view = &c->view;
    buf_json_text(out, c->id);
    buf_text(out, ":{");
    if (view->standing.known) {
        put_standing(out, &view->standing);
        buf_char(out, ',');
    }
    put_parts(out, view);
    buf_print(out, "\"flapping\":%s,\"last\":{\"text\":", view->flapping.flapping ? "true" : "false");
    buf_json_text(out, view->text);
    buf_print(out, ",\"run\":%lld,\"ok\":%lld,\"runs\":%llu,\"missed\":%llu,\"skipped\":%llu",
              (long long)view->last_run_wall_ms, (long long)view->last_ok_wall_ms, (unsigned long long)view->runs,
              (unsigned long long)view->missed, (unsigned long long)view->skipped);
    buf_print(out, ",\"changes\":%u,\"results\":%u,\"state\":\"%s\"}}", view->flapping.changes, view->flapping.count,
              state_name(view->flapping.last));
}

static void put_breaker(struct buf *out, const struct schedule *s, const struct circuit *circuit)
{
    const struct breaker *b = &circuit->breaker;
    buf_json_text(out, circuit->name);
    buf_print(out, ":{\"state\":\"%s\",\"hold\":\"%s\",\"failures\":%u,\"pause\":%u", breaker_state_name(b->state),
              breaker_hold_name(b->hold), b->failures, b->pause_ms);
    if (b->state == BREAKER_OPEN && b->until_ms != NEVER_MS)
        buf_print(out, ",\"until\":%lld", (long long)(b->until_ms + (s->configured ? s->wall_offset_ms : 0)));
    buf_char(out, '}');
}

static void put_comma(struct buf *out, bool *first)
{
    if (!*first)
        buf_char(out, ',');
    *first = false;
}

void schedule_snapshot(const struct schedule *s, struct buf *out)
{
    bool first = true;
    buf_print(out, "{\"version\":%d,\"checks\":{", SNAPSHOT_VERSION);
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (!s->checks[i])
            continue;
        put_comma(out, &first);
        put_check(out, s->checks[i]);
    }
    buf_text(out, "},\"breakers\":{");
    first = true;
    for (uint32_t i = 0; i < s->circuit_count; i++) {
        const struct breaker *b = &s->circuits[i]->breaker;
        if (b->state == BREAKER_CLOSED && b->hold == BREAKER_AUTO && b->failures == 0)
            continue;
        put_comma(out, &first);
        put_breaker(out, s, s->circuits[i]);
    }
    buf_text(out, "},\"services\":{");
    first = true;
    const struct service *service;
    for (size_t i = 0; (service = map_next(&s->services, &i)) != NULL;) {
        put_comma(out, &first);
        buf_json_text(out, service->name);
        buf_print(out, ":\"%s\"", state_name(service->state));
    }
    buf_text(out, "}}");
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int64_t get_integer(const json_t *object, const char *key, int64_t max)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 ? 0 : value > max ? max : value;
}

static bool get_state(const json_t *value, enum belfry_state *out)
{
    return json_is_string(value) && state_from_name(json_string_value(value), out);
}

static bool get_standing(const json_t *owner, struct standing *out)
{
    const json_t *json = json_object_get(owner, "standing");
    if (!json)
        return true;
    struct standing standing = { .known = true };
    if (!get_state(json_object_get(json, "state"), &standing.state) ||
        !get_state(json_object_get(json, "hard_state"), &standing.hard_state))
        return false;
    standing.hard = json_is_true(json_object_get(json, "hard"));
    standing.attempt = (uint32_t)get_integer(json, "attempt", UINT32_MAX);
    standing.since_wall_ms = get_integer(json, "since", INT64_MAX);
    standing.hard_since_wall_ms = get_integer(json, "hard_since", INT64_MAX);
    *out = standing;
    return true;
}

static void get_last(const json_t *json, struct check_view *view)
{
    const json_t *last = json_object_get(json, "last");
    schedule_keep_text(&view->text, json_string_value(json_object_get(last, "text")));
    view->last_run_wall_ms = get_integer(last, "run", INT64_MAX);
    view->last_ok_wall_ms = get_integer(last, "ok", INT64_MAX);
    view->runs = (uint64_t)get_integer(last, "runs", INT64_MAX);
    view->missed = (uint64_t)get_integer(last, "missed", INT64_MAX);
    view->skipped = (uint64_t)get_integer(last, "skipped", INT64_MAX);
    view->flapping.flapping = json_is_true(json_object_get(json, "flapping"));
    view->flapping.changes = (uint32_t)get_integer(last, "changes", (1 << (FLAP_RESULTS - 1)) - 1);
    view->flapping.count = (uint32_t)get_integer(last, "results", FLAP_RESULTS);
    get_state(json_object_get(last, "state"), &view->flapping.last);
}

static bool get_check(struct schedule *s, const char *id, json_t *json)
{
    if (!text_is_check_id(id))
        return false;
    struct check *c = schedule_check_get(s, id);
    const char *name;
    json_t *part;
    get_last(json, &c->view);
    json_object_foreach(json_object_get(json, "parts"), name, part)
    {
        struct part_view *view = schedule_part_add(c, name);
        schedule_keep_text(&view->text, json_string_value(json_object_get(part, "text")));
        if (!get_standing(part, &view->standing))
            return false;
    }
    return get_standing(json, &c->view.standing);
}

static bool get_breaker_state(const json_t *json, enum breaker_state *out)
{
    const char *name = json_string_value(json);
    for (int i = 0; name && i < BREAKER_STATE_COUNT; i++) {
        if (strcmp(name, breaker_state_name((enum breaker_state)i)) == 0) {
            *out = (enum breaker_state)i;
            return true;
        }
    }
    return false;
}

static bool get_breaker(struct schedule *s, const char *name, json_t *json)
{
    struct breaker *b = &schedule_circuit_get(s, name)->breaker;
    if (!get_breaker_state(json_object_get(json, "state"), &b->state) ||
        !breaker_hold_from_name(json_string_value(json_object_get(json, "hold")), &b->hold))
        return false;
    b->failures = (uint32_t)get_integer(json, "failures", BREAKER_FAILURES_MAX);
    b->pause_ms = (uint32_t)get_integer(json, "pause", UINT32_MAX);
    b->until_ms = b->hold == BREAKER_HELD_OPEN ? NEVER_MS : get_integer(json, "until", NEVER_MS - 1);
    return true;
}

static bool get_service(struct schedule *s, const char *name, json_t *json)
{
    struct service *service = map_get(&s->services, name);
    return service && get_state(json, &service->state);
}

static bool get_all(struct schedule *s, const json_t *root, const char *key,
                    bool (*get)(struct schedule *s, const char *name, json_t *json))
{
    json_t *table = json_object_get(root, key), *json;
    const char *name;
    if (!json_is_object(table))
        return false;
    json_object_foreach(table, name, json)
    {
        if (!get(s, name, json))
            return false;
    }
    return true;
}

int schedule_restore_snapshot(struct schedule *s, const char *json, size_t length)
{
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, NULL);
    schedule_forget_all(s);
    bool good = get_integer(root, "version", INT64_MAX) == SNAPSHOT_VERSION && get_all(s, root, "checks", get_check) &&
                get_all(s, root, "breakers", get_breaker) && get_all(s, root, "services", get_service);
    json_decref(root);
    if (good)
        return 0;
    schedule_forget_all(s);
    return ERROR_SYNTAX;
}

/* ---- the fold over events ---------------------------------------------------------------------------------------- */

typedef void fold_fn(struct schedule *s, const struct event *event);

/* The same as standing_step() and standing_harden() did when the event was made. */
static void fold_standing(struct standing *standing, const struct event *event)
{
    if (!standing->known || standing->state != event->to)
        standing->since_wall_ms = event->wall_ms;
    standing->known = true;
    standing->state = event->to;
    standing->attempt = event->attempt;
    standing->hard = event->hard || event->to == BELFRY_OK;
    if (!event->hard)
        return;
    if (!standing_is_confirmed(standing) || standing->hard_state != event->to)
        standing->hard_since_wall_ms = event->wall_ms;
    standing->hard_state = event->to;
}

static void fold_check_state(struct schedule *s, const struct event *event)
{
    struct check_view *view = &schedule_check_get(s, event->check)->view;
    fold_standing(&view->standing, event);
    schedule_keep_text(&view->text, event->text);
    view->last_run_wall_ms = event->wall_ms;
    if (event->to == BELFRY_OK)
        view->last_ok_wall_ms = event->wall_ms;
}

static void fold_check_flapping(struct schedule *s, const struct event *event)
{
    schedule_check_get(s, event->check)->view.flapping.flapping = event->on;
}

static void fold_check_added(struct schedule *s, const struct event *event)
{
    schedule_check_get(s, event->check);
}

static void fold_check_removed(struct schedule *s, const struct event *event)
{
    struct check *c = map_get(&s->checks_by_id, event->check);
    if (c)
        schedule_check_drop(s, c);
}

static uint32_t find_part(const struct check *c, const char *name)
{
    uint32_t i = 0;
    while (i < c->view.part_count && strcmp(c->view.parts[i].name, name) != 0)
        i++;
    return i;
}

static void fold_part_state(struct schedule *s, const struct event *event)
{
    if (!event->part)
        return;
    struct check *c = schedule_check_get(s, event->check);
    uint32_t i = find_part(c, event->part);
    struct part_view *part = i < c->view.part_count ? schedule_parts(c) + i : schedule_part_add(c, event->part);
    fold_standing(&part->standing, event);
    schedule_keep_text(&part->text, event->text);
}

static void fold_part_gone(struct schedule *s, const struct event *event)
{
    struct check *c = map_get(&s->checks_by_id, event->check);
    uint32_t i = c && event->part ? find_part(c, event->part) : 0;
    if (c && event->part && i < c->view.part_count)
        schedule_part_drop(c, i);
}

static void fold_breaker_open(struct schedule *s, const struct event *event)
{
    struct breaker *b = &schedule_circuit_get(s, event->breaker)->breaker;
    int64_t pause_ms = event->pause_ms < 0 ? 0 : event->pause_ms > UINT32_MAX ? UINT32_MAX : event->pause_ms;
    b->state = BREAKER_OPEN;
    b->failures = event->failures < BREAKER_FAILURES_MAX ? event->failures : BREAKER_FAILURES_MAX;
    b->pause_ms = (uint32_t)pause_ms;
    b->until_ms = b->hold == BREAKER_HELD_OPEN ? NEVER_MS : event->wall_ms + pause_ms;
}

static void fold_breaker_half_open(struct schedule *s, const struct event *event)
{
    struct breaker *b = &schedule_circuit_get(s, event->breaker)->breaker;
    b->state = BREAKER_HALF_OPEN;
    b->until_ms = 0;
}

static void fold_breaker_closed(struct schedule *s, const struct event *event)
{
    struct breaker *b = &schedule_circuit_get(s, event->breaker)->breaker;
    b->state = BREAKER_CLOSED;
    b->failures = b->pause_ms = 0;
    b->until_ms = 0;
}

static void fold_breaker_held(struct schedule *s, const struct event *event)
{
    enum breaker_hold hold;
    if (breaker_hold_from_name(event->name, &hold))
        breaker_set_hold(&schedule_circuit_get(s, event->breaker)->breaker, hold, event->wall_ms);
}

static void fold_service_state(struct schedule *s, const struct event *event)
{
    struct service *service = map_get(&s->services, event->service);
    if (service)
        service->state = event->to;
}

static fold_fn *const folds[EVENT_TYPE_COUNT] = {
    [EVENT_CHECK_STATE] = fold_check_state,       [EVENT_CHECK_FLAPPING] = fold_check_flapping,
    [EVENT_CHECK_ADDED] = fold_check_added,       [EVENT_CHECK_REMOVED] = fold_check_removed,
    [EVENT_PART_STATE] = fold_part_state,         [EVENT_PART_GONE] = fold_part_gone,
    [EVENT_BREAKER_OPEN] = fold_breaker_open,     [EVENT_BREAKER_HALF_OPEN] = fold_breaker_half_open,
    [EVENT_BREAKER_CLOSED] = fold_breaker_closed, [EVENT_BREAKER_HELD] = fold_breaker_held,
    [EVENT_SERVICE_STATE] = fold_service_state,
};

/* What the fold takes for granted of each type that is folded: the name of its subject. */
static bool names_subject(const struct event *event)
{
    switch (event->type) {
    case EVENT_BREAKER_OPEN:
    case EVENT_BREAKER_HALF_OPEN:
    case EVENT_BREAKER_CLOSED:
    case EVENT_BREAKER_HELD:
        return event->breaker != NULL;
    case EVENT_SERVICE_STATE:
        return event->service != NULL;
    default:
        return event->check && text_is_check_id(event->check);
    }
}

void schedule_restore_event(struct schedule *s, const struct event *event)
{
    if (event->type < EVENT_TYPE_COUNT && folds[event->type] && names_subject(event))
        folds[event->type](s, event);
}
