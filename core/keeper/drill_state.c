/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill_state - what is known of drills: folded from the journal, kept by the snapshot, and written down again before
 * old segments are dropped. A run is open from its drill.started to its end. */
#include <stdlib.h>
#include <string.h>

#include "core/keeper/drill.h"

struct drilling *drilling_find(const struct drills *drills, const char *name)
{
    struct drilling *d = drills->first;
    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    return d;
}

struct drilling *drilling_get(struct drills *drills, const char *name)
{
    struct drilling *d = drilling_find(drills, name);
    if (d)
        return d;
    d = heap_alloc(sizeof *d);
    d->drills = drills;
    d->errand = (struct errand){ .type = &drill_errand, .keeper = drills->keeper, .owner = d };
    text_copy(d->name, sizeof d->name, name);
    d->next = drills->first;
    drills->first = d;
    return d;
}

static void open_run(struct drilling *d, const char *id, const char *workspace)
{
    text_copy(d->id, sizeof d->id, id);
    char *copy = workspace ? heap_text(workspace) : NULL;
    free(d->workspace);
    d->workspace = copy;
}

static void end_run(struct drilling *d, const char *result)
{
    d->id[0] = '\0';
    text_copy(d->result, sizeof d->result, result);
}

static void take_standing(struct drilling *d, const json_t *figures)
{
    const char *result = json_string_value(json_object_get(figures, "result"));
    d->started_wall_ms = json_integer_value(json_object_get(figures, "started"));
    d->passed_wall_ms = json_integer_value(json_object_get(figures, "passed"));
    text_copy(d->result, sizeof d->result, result ? result : "");
}

void drill_fold(struct keeper *keeper, const struct event *event)
{
    struct drilling *d = event->drill ? drilling_get(keeper->drills, event->drill) : NULL;
    json_t *figures;
    switch (event->type) {
    case EVENT_DRILL_STARTED:
        open_run(d, event->id, event->path);
        d->started_wall_ms = event->wall_ms;
        break;
    case EVENT_DRILL_PASSED:
        d->passed_wall_ms = event->wall_ms;
        end_run(d, "passed");
        break;
    case EVENT_DRILL_FAILED:
        end_run(d, "failed");
        break;
    case EVENT_DRILL_CANCELLED:
        end_run(d, "cancelled");
        break;
    case EVENT_DRILL_ABANDONED:
        end_run(d, "abandoned");
        break;
    case EVENT_DRILL_STANDING:
        open_run(d, event->id, event->path);
        figures = event->figures ? json_loads(event->figures, 0, NULL) : NULL;
        take_standing(d, figures);
        json_decref(figures);
        break;
    default:
        break;
    }
}

static json_t *standing_of(const struct drilling *d)
{
    return json_pack("{s:I, s:I, s:s}", "started", (json_int_t)d->started_wall_ms, "passed",
                     (json_int_t)d->passed_wall_ms, "result", d->result);
}

/* Of a run that has a record; a plan has none, and nothing of it is left when the daemon ends. */
static const char *recorded_id(const struct drilling *d)
{
    return d->plan ? "" : d->id;
}

json_t *drill_save(const struct keeper *keeper)
{
    json_t *list = json_array();
    for (const struct drilling *d = keeper->drills->first; d; d = d->next)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "drill", d->name, "id", recorded_id(d), "path",
                                              d->workspace ? d->workspace : "", "figures", standing_of(d)));
    return list;
}

void drill_restore(struct keeper *keeper, const json_t *saved)
{
    const json_t *one;
    size_t i;
    json_array_foreach(saved, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "drill"));
        const char *id = json_string_value(json_object_get(one, "id"));
        if (!name || !id)
            continue;
        struct drilling *d = drilling_get(keeper->drills, name);
        open_run(d, id, json_string_value(json_object_get(one, "path")));
        take_standing(d, json_object_get(one, "figures"));
    }
}

void drill_restate(struct keeper *keeper)
{
    for (struct drilling *d = keeper->drills->first; d; d = d->next) {
        json_t *figures = standing_of(d);
        char *text = json_dumps(figures, JSON_COMPACT);
        const struct event event = {
            .type = EVENT_DRILL_STANDING, .drill = d->name, .id = recorded_id(d), .path = d->workspace, .figures = text
        };
        keeper_emit(keeper, &event);
        free(text);
        json_decref(figures);
    }
}
