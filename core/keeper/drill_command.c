/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill_command - drills on the control socket (doc/control.md): how they are, and what is to be done with them. */
#include <string.h>

#include "core/keeper/drill.h"

static const char *stage_name(enum stage stage)
{
    static const char *const names[] = { "idle", "starting", "running", "left", "cleaning" };
    return names[stage];
}

static json_t *view(const struct drilling *d, const struct drill_config *config)
{
    bool due = d->due_wall_ms != INT64_MAX;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "name", d->name, "title",
                  config && config->title ? config->title : d->name, "source", config ? config->source : "", "state",
                  stage_name(d->stage), "id", d->id, "result", d->result, "started", (json_int_t)d->started_wall_ms,
                  "passed", (json_int_t)d->passed_wall_ms, "due", (json_int_t)(due ? d->due_wall_ms : 0), "overdue_ms",
                  (json_int_t)(config ? config->overdue_ms : 0), "plan", d->plan);
    if (d->progress)
        json_object_set(json, "progress", d->progress);
    if (d->last)
        json_object_set(json, "last", d->last);
    if (d->planned)
        json_object_set(json, "planned", d->planned);
    return json;
}

json_t *drill_view(const struct keeper *keeper)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < keeper->config->drill_count; i++) {
        const struct drill_config *config = &keeper->config->drills[i];
        json_array_append_new(list, view(drilling_find(keeper->drills, config->name), config));
    }
    return list;
}

json_t *drill_command(struct keeper *keeper, const json_t *arguments, const char *by)
{
    const char *action = json_string_value(json_object_get(arguments, "action"));
    const char *name = json_string_value(json_object_get(arguments, "name"));
    const char *backup = json_string_value(json_object_get(arguments, "backup"));
    struct drilling *d = name && config_drill_find(keeper->config, name) ? drilling_find(keeper->drills, name) : NULL;
    struct why why = { "" };
    if (!action || strcmp(action, "list") == 0)
        return json_pack("{s:b, s:o, s:o}", "ok", 1, "drills", drill_view(keeper), "runbooks", recovery_view(keeper));
    bool plan = strcmp(action, "plan") == 0, stop = strcmp(action, "cancel") == 0;
    const char *code = "denied";
    if (!d) {
        code = "unknown-drill";
        why_say(&why, 0, "there is no drill '%s'; 'belfry drill list' shows them", name ? name : "");
    } else if (stop && d->stage == STAGE_RUNNING && d->errand.busy) {
        drilling_cancel(d, by);
        return json_pack("{s:b, s:s}", "ok", 1, "id", d->id);
    } else if (stop) {
        why_say(&why, 0, "drill '%s' is not running", name);
    } else if (!plan && strcmp(action, "run") != 0) {
        code = "bad-request";
        why_say(&why, 0, "a drill can be listed, planned, run and cancelled, not '%s'", action);
    } else if (drilling_start(d, backup, plan, by, &why) == 0) {
        return json_pack("{s:b, s:s}", "ok", 1, "id", d->id);
    }
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", code, "error", why.text);
}
