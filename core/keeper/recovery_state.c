/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery_state - what is known of runbooks: folded from the journal, kept by the snapshot, and written down again
 * before old segments are dropped. A rehearsal goes on from its recovery.started to its end. */
#include <stdlib.h>
#include <string.h>

#include "core/keeper/recovery.h"

struct rehearsal *rehearsal_find(const struct rehearsals *all, const char *name)
{
    struct rehearsal *r = all->first;
    while (r && strcmp(r->name, name) != 0)
        r = r->next;
    return r;
}

struct rehearsal *rehearsal_get(struct rehearsals *all, const char *name)
{
    struct rehearsal *r = rehearsal_find(all, name);
    if (r)
        return r;
    r = heap_alloc(sizeof *r);
    r->all = all;
    r->errand = (struct errand){ .type = &recovery_errand, .keeper = all->keeper, .owner = r };
    text_copy(r->name, sizeof r->name, name);
    r->next = all->first;
    all->first = r;
    return r;
}

/* Takes over the reference. */
static void set_doc(struct rehearsal *r, json_t *doc)
{
    bool good = recovery_is_good(doc);
    json_decref(r->doc);
    r->doc = good ? doc : NULL;
    if (!good)
        json_decref(doc);
}

static void end(struct rehearsal *r, const char *result, int64_t wall_ms)
{
    bool cancelled = strcmp(result, "cancelled") == 0;
    if (r->doc)
        *(cancelled ? &r->cancelled_wall_ms : &r->held_wall_ms) =
            json_integer_value(json_object_get(r->doc, "started_ms"));
    if (strcmp(result, "passed") == 0)
        r->passed_wall_ms = wall_ms;
    text_copy(r->result, sizeof r->result, result);
    set_doc(r, NULL);
}

static void take_standing(struct rehearsal *r, const json_t *standing)
{
    const char *result = json_string_value(json_object_get(standing, "result"));
    r->known_wall_ms = json_integer_value(json_object_get(standing, "known"));
    r->held_wall_ms = json_integer_value(json_object_get(standing, "held"));
    r->passed_wall_ms = json_integer_value(json_object_get(standing, "passed"));
    r->cancelled_wall_ms = json_integer_value(json_object_get(standing, "cancelled"));
    r->reminded_wall_ms = json_integer_value(json_object_get(standing, "reminded"));
    r->told_wall_ms = json_integer_value(json_object_get(standing, "told"));
    text_copy(r->result, sizeof r->result, result ? result : "");
    set_doc(r, json_deep_copy(json_object_get(standing, "doc")));
}

static void fold(struct rehearsal *r, const struct event *event, json_t *figures)
{
    switch (event->type) {
    case EVENT_RECOVERY_KNOWN:
        r->known_wall_ms = event->wall_ms;
        break;
    case EVENT_RECOVERY_REMINDED:
        r->reminded_wall_ms = json_integer_value(json_object_get(figures, "due_ms"));
        break;
    case EVENT_RECOVERY_DUE:
        r->told_wall_ms = json_integer_value(json_object_get(figures, "due_ms"));
        break;
    case EVENT_RECOVERY_STARTED:
        set_doc(r, json_deep_copy(figures));
        break;
    case EVENT_RECOVERY_STEP:
        recovery_put_step(r->doc, figures);
        break;
    case EVENT_RECOVERY_PASSED:
        end(r, "passed", event->wall_ms);
        break;
    case EVENT_RECOVERY_FAILED:
        end(r, "failed", event->wall_ms);
        break;
    case EVENT_RECOVERY_CANCELLED:
        end(r, "cancelled", event->wall_ms);
        break;
    case EVENT_RECOVERY_STANDING:
        take_standing(r, figures);
        break;
    default:
        break;
    }
}

void recovery_fold(struct keeper *keeper, const struct event *event)
{
    if (!event->runbook)
        return;
    json_t *figures = event->figures ? json_loads(event->figures, 0, NULL) : NULL;
    fold(rehearsal_get(keeper->rehearsals, event->runbook), event, figures);
    json_decref(figures);
}

static json_t *standing_of(const struct rehearsal *r)
{
    json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "known", (json_int_t)r->known_wall_ms, "held",
                             (json_int_t)r->held_wall_ms, "passed", (json_int_t)r->passed_wall_ms, "cancelled",
                             (json_int_t)r->cancelled_wall_ms, "reminded", (json_int_t)r->reminded_wall_ms, "told",
                             (json_int_t)r->told_wall_ms, "result", r->result);
    if (r->doc)
        json_object_set(json, "doc", r->doc);
    return json;
}

json_t *recovery_save(const struct keeper *keeper)
{
    json_t *all = json_object();
    for (const struct rehearsal *r = keeper->rehearsals->first; r; r = r->next)
        json_object_set_new(all, r->name, standing_of(r));
    return all;
}

void recovery_restore(struct keeper *keeper, const json_t *saved)
{
    const char *name;
    json_t *standing;
    json_object_foreach((json_t *)(uintptr_t)saved, name, standing)
    {
        if (text_is_name(name))
            take_standing(rehearsal_get(keeper->rehearsals, name), standing);
    }
}

void recovery_restate(struct keeper *keeper)
{
    for (struct rehearsal *r = keeper->rehearsals->first; r; r = r->next) {
        json_t *standing = standing_of(r);
        char *text = json_dumps(standing, JSON_COMPACT);
        const char *id = json_string_value(json_object_get(r->doc, "id"));
        const struct event event = {
            .type = EVENT_RECOVERY_STANDING, .runbook = r->name, .id = id ? id : "", .figures = text
        };
        keeper_emit(keeper, &event);
        free(text);
        json_decref(standing);
    }
}
