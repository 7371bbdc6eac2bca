/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery_command - runbooks on the control socket (doc/control.md): how they are, and what is to be done with them.
 */
#include <string.h>

#include "core/keeper/recovery.h"

/* Whether it is due, or soon will be: of one that starts by itself nobody needs to be reminded. */
static const char *calendar_of(const struct rehearsal *r, const struct runbook *runbook)
{
    int64_t wall_ms = clock_wall_ms();
    if (!runbook || r->due_wall_ms == INT64_MAX)
        return "";
    if (wall_ms >= r->due_wall_ms)
        return "due";
    bool soon = wall_ms >= r->due_wall_ms - recovery_early_ms(runbook->on, runbook->remind_ms);
    return soon && !runbook_starts_itself(runbook) ? "soon" : "later";
}

static json_t *view(const struct rehearsal *r, const struct runbook *runbook)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "name", r->name, "title",
                  runbook && runbook->title ? runbook->title : r->name, "tier",
                  runbook && runbook->tier ? runbook->tier : "", "state", recovery_state_name(r->state), "result",
                  r->result, "held", (json_int_t)r->held_wall_ms, "passed", (json_int_t)r->passed_wall_ms, "due",
                  (json_int_t)(r->due_wall_ms == INT64_MAX ? 0 : r->due_wall_ms), "calendar", calendar_of(r, runbook));
    if (r->doc)
        json_object_set(json, "now", r->doc);
    if (recovery_step(r->doc))
        json_object_set(json, "step", recovery_step(r->doc));
    if (r->last)
        json_object_set(json, "last", r->last);
    return json;
}

/* One that is followed is shown though it is not in the configuration any more. */
json_t *recovery_view(const struct keeper *keeper)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < keeper->config->runbook_count; i++) {
        const struct runbook *runbook = &keeper->config->runbooks[i];
        json_array_append_new(list, view(rehearsal_find(keeper->rehearsals, runbook->name), runbook));
    }
    for (const struct rehearsal *r = keeper->rehearsals->first; r; r = r->next)
        if (r->state != RECOVERY_IDLE && !config_runbook_find(keeper->config, r->name))
            json_array_append_new(list, view(r, NULL));
    return list;
}

bool recovery_knows(const struct keeper *keeper, const char *name)
{
    const struct rehearsal *r = name ? rehearsal_find(keeper->rehearsals, name) : NULL;
    return r && (r->state != RECOVERY_IDLE || config_runbook_find(keeper->config, name));
}

/* ---- actions ----------------------------------------------------------------------------------------------------- */

struct wish {
    struct keeper *keeper;
    const json_t *arguments;
    const char *by;
};

static json_t *did(const struct rehearsal *r)
{
    const char *id = json_string_value(json_object_get(r->doc, "id"));
    return json_pack("{s:b, s:s, s:s}", "ok", 1, "id", id ? id : "", "runbook", r->name);
}

static json_t *do_plan(struct rehearsal *r, const struct wish *wish, struct why *why)
{
    const struct runbook *runbook = config_runbook_find(wish->keeper->config, r->name);
    if (!runbook) {
        why_say(why, 0, "runbook '%s' is not in the configuration any more", r->name);
        return NULL;
    }
    json_t *doc = recovery_open(runbook, "planned", wish->by, clock_wall_ms());
    return json_pack("{s:b, s:s, s:o}", "ok", 1, "runbook", r->name, "planned", doc);
}

static json_t *do_run(struct rehearsal *r, const struct wish *wish, struct why *why)
{
    if (json_object_get(wish->arguments, "backup")) {
        why_say(why, 0,
                "a runbook restores what its drills are configured for: 'belfry drill run DRILL --backup NAME'");
        return NULL;
    }
    return rehearsal_start(r, wish->by, why) == 0 ? did(r) : NULL;
}

static json_t *do_cancel(struct rehearsal *r, const struct wish *wish, struct why *why)
{
    json_t *answer = did(r);
    if (rehearsal_cancel(r, wish->by, why) == 0)
        return answer;
    json_decref(answer);
    return NULL;
}

static json_t *do_step(struct rehearsal *r, const struct wish *wish, struct why *why)
{
    static const char *const states[] = { "done", "failed", "skipped" };
    const char *state = json_string_value(json_object_get(wish->arguments, "state"));
    const char *note = json_string_value(json_object_get(wish->arguments, "note"));
    json_int_t number = json_integer_value(json_object_get(wish->arguments, "number"));
    size_t i = 0;
    while (i < sizeof states / sizeof states[0] && !(state && strcmp(states[i], state) == 0))
        i++;
    if (i == sizeof states / sizeof states[0])
        why_say(why, 0, "a step can be done, failed or skipped, not '%s'", state ? state : "");
    else if (number && number != json_integer_value(json_object_get(recovery_step(r->doc), "number")))
        why_say(why, 0, "runbook '%s' is not at step %lld any more", r->name, (long long)number);
    else if (note && strlen(note) > RUNBOOK_NOTE_MAX)
        why_say(why, 0, "the note is longer than %d bytes", RUNBOOK_NOTE_MAX);
    else if (rehearsal_say(r, state, note, wish->by, why) == 0)
        return did(r);
    return NULL;
}

static const struct {
    const char *name;
    json_t *(*act)(struct rehearsal *r, const struct wish *wish, struct why *why);
} actions[] = { { "plan", do_plan }, { "run", do_run }, { "step", do_step }, { "cancel", do_cancel } };

json_t *recovery_command(struct keeper *keeper, const json_t *arguments, const char *by)
{
    const char *action = json_string_value(json_object_get(arguments, "action"));
    const char *name = json_string_value(json_object_get(arguments, "name"));
    const struct wish wish = { keeper, arguments, by };
    struct why why = { "" };
    const char *code = "bad-request";
    json_t *answer = NULL;
    why_say(&why, 0, "a runbook can be planned, run, stepped through and cancelled, not '%s'", action ? action : "");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (!action || strcmp(action, actions[i].name) != 0)
            continue;
        code = "denied";
        answer = actions[i].act(rehearsal_find(keeper->rehearsals, name), &wish, &why);
    }
    return answer ? answer : json_pack("{s:b, s:s, s:s}", "ok", 0, "code", code, "error", why.text);
}
