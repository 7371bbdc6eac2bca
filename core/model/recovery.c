/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery - states × events, and the document. */
#include "core/model/recovery.h"

#include <config.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

/* ---- the table ----------------------------------------------------------------------------------------------------
 */

#define NO RECOVERY_STATE_COUNT
#define NOTED RECOVERY_NOTED
#define ASKED RECOVERY_ASKED
#define RUNNING RECOVERY_RUNNING
#define DOUBTFUL RECOVERY_DOUBTFUL
#define ENDING RECOVERY_ENDING

static const enum recovery_state next[RECOVERY_STATE_COUNT][RECOVERY_EVENT_COUNT] = {
    /*                     START  DISK_MANUAL DISK     LOST      STEP   END     KEPT */
    [RECOVERY_IDLE] = { NOTED, NO, NO, NO, NO, NO, NO },
    [RECOVERY_NOTED] = { NO, ASKED, RUNNING, DOUBTFUL, NO, ENDING, NO },
    [RECOVERY_ASKED] = { NO, NO, NO, NO, NOTED, ENDING, NO },
    [RECOVERY_RUNNING] = { NO, NO, NO, DOUBTFUL, NOTED, ENDING, NO },
    [RECOVERY_DOUBTFUL] = { NO, NO, NO, NO, NOTED, ENDING, NO },
    [RECOVERY_ENDING] = { NO, NO, NO, NO, NO, NO, RECOVERY_IDLE },
};

enum recovery_state recovery_next(enum recovery_state state, enum recovery_event event)
{
    return next[state][event];
}

const char *recovery_state_name(enum recovery_state state)
{
    static const char *const names[] = { "idle", "starting", "asked", "running", "doubtful", "ending" };
    return state < RECOVERY_STATE_COUNT ? names[state] : "unknown";
}

/* ---- the document -------------------------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static int64_t integer_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static json_t *open_step(const struct runbook_step *step, uint32_t number)
{
    enum step_kind kind = runbook_step_kind(step);
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:s}", "number", (json_int_t)number, "name", step->name, "kind",
                     step_kind_name(kind), "what", step->kinds[kind], "within_ms", (json_int_t)step->within_ms, "state",
                     "waiting");
}

json_t *recovery_open(const struct runbook *runbook, const char *id, const char *by, int64_t wall_ms)
{
    char started[TEXT_TIME_SIZE];
    json_t *steps = json_array();
    for (uint32_t i = 0; i < runbook->step_count; i++)
        json_array_append_new(steps, open_step(&runbook->steps[i], i + 1));
    return json_pack("{s:s, s:s, s:s*, s:s, s:s, s:s, s:I, s:I, s:I, s:o}", "runbook", runbook->name, "title",
                     runbook->title ? runbook->title : runbook->name, "tier", runbook->tier, "id", id, "by", by,
                     "started", text_format_utc(started, wall_ms), "started_ms", (json_int_t)wall_ms, "rto_ms",
                     (json_int_t)runbook->rto_ms, "rpo_ms", (json_int_t)runbook->rpo_ms, "steps", steps);
}

static bool is_step(const json_t *step, size_t number)
{
    return integer_of(step, "number") == (int64_t)number && *text_of(step, "state") && *text_of(step, "name") &&
           *text_of(step, "what") && recovery_step_kind(step) != STEP_KIND_COUNT;
}

bool recovery_is_good(const json_t *doc)
{
    const json_t *steps = json_object_get(doc, "steps"), *step;
    bool good = *text_of(doc, "runbook") && *text_of(doc, "id") && integer_of(doc, "rto_ms") > 0 &&
                json_array_size(steps) > 0 && json_array_size(steps) <= RUNBOOK_STEPS_MAX;
    size_t i;
    json_array_foreach(steps, i, step) good = good && is_step(step, i + 1);
    return good;
}

/* A step is over by one of these; by the second half of them the whole is. */
static const char *const ends[] = { "done", "skipped", "failed", "cancelled" };

static size_t end_of(const json_t *step)
{
    size_t i = 0;
    while (i < sizeof ends / sizeof ends[0] && strcmp(ends[i], text_of(step, "state")) != 0)
        i++;
    return i;
}

/* The first step that is not simply over; NULL when all are. */
static json_t *open_one(const json_t *doc)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(doc, "steps"), i, step)
    {
        if (end_of(step) > 1)
            return step;
    }
    return NULL;
}

json_t *recovery_step(const json_t *doc)
{
    json_t *step = open_one(doc);
    return step && end_of(step) == sizeof ends / sizeof ends[0] ? step : NULL;
}

uint32_t recovery_step_count(const json_t *doc)
{
    return (uint32_t)json_array_size(json_object_get(doc, "steps"));
}

void recovery_put_step(json_t *doc, const json_t *step)
{
    int64_t number = integer_of(step, "number");
    if (number > 0 && number <= (int64_t)recovery_step_count(doc) && is_step(step, (size_t)number))
        json_array_set_new(json_object_get(doc, "steps"), (size_t)number - 1, json_deep_copy(step));
}

enum step_kind recovery_step_kind(const json_t *step)
{
    return step_kind_from_name(text_of(step, "kind"));
}

/* ---- its end ------------------------------------------------------------------------------------------------------
 */

/* From the beginning to the end of the last step that ended. */
static int64_t took_ms(const json_t *doc)
{
    int64_t last_ms = integer_of(doc, "started_ms");
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(doc, "steps"), i, step)
    {
        if (integer_of(step, "ended_ms") > last_ms)
            last_ms = integer_of(step, "ended_ms");
    }
    return last_ms - integer_of(doc, "started_ms");
}

/* The oldest data that one of its drills restored; -1: there was none. */
static int64_t data_ms(const json_t *doc)
{
    int64_t oldest_ms = -1;
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(doc, "steps"), i, step)
    {
        if (json_object_get(step, "rpo_ms") && integer_of(step, "rpo_ms") > oldest_ms)
            oldest_ms = integer_of(step, "rpo_ms");
    }
    return oldest_ms;
}

static json_t *target(int64_t ms, int64_t most_ms)
{
    return json_pack("{s:I, s:I, s:b}", "ms", (json_int_t)ms, "target_ms", (json_int_t)most_ms, "met", ms <= most_ms);
}

/* Of a rehearsal in which each step was left out nothing is known. */
static bool was_nothing_done(const json_t *doc)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(doc, "steps"), i, step)
    {
        if (strcmp(text_of(step, "state"), "skipped") != 0)
            return false;
    }
    return true;
}

/* Why it has failed; "" when it has not. */
static const char *reason_of(const json_t *doc, char *out, size_t size)
{
    char is[TEXT_DURATION_SIZE], wanted[TEXT_DURATION_SIZE];
    int64_t took = took_ms(doc), most = integer_of(doc, "rto_ms");
    int64_t data = data_ms(doc), oldest = integer_of(doc, "rpo_ms");
    const json_t *step = open_one(doc);
    out[0] = '\0';
    if (step && strcmp(text_of(step, "state"), "failed") == 0)
        text_copy(out, size, *text_of(step, "note") ? text_of(step, "note") : "it was not done");
    else if (was_nothing_done(doc))
        text_copy(out, size, "nothing was done: every step was skipped");
    else if (!step && took > most)
        snprintf(out, size, "recovery took %s; the target (rto) is %s", text_format_age(is, took),
                 text_format_age(wanted, most));
    else if (!step && oldest && data > oldest)
        snprintf(out, size, "the data was %s old; the target (rpo) is %s", text_format_age(is, data),
                 text_format_age(wanted, oldest));
    return out;
}

const char *recovery_result(const json_t *doc)
{
    char reason[512];
    const json_t *step = open_one(doc);
    if (recovery_step(doc))
        return "running";
    if (step && strcmp(text_of(step, "state"), "cancelled") == 0)
        return "cancelled";
    return *reason_of(doc, reason, sizeof reason) ? "failed" : "passed";
}

json_t *recovery_evidence(const json_t *doc)
{
    char reason[512];
    const json_t *step = open_one(doc);
    json_t *json = json_deep_copy(doc);
    json_object_set_new(json, "result", json_string(recovery_result(doc)));
    json_object_set_new(json, "phase", step ? json_string(text_of(step, "name")) : json_null());
    json_object_set_new(json, "reason", *reason_of(doc, reason, sizeof reason) ? json_string(reason) : json_null());
    json_object_set_new(json, "ms", json_integer(took_ms(doc)));
    json_object_set_new(json, "rto", target(took_ms(doc), integer_of(doc, "rto_ms")));
    if (data_ms(doc) >= 0 && integer_of(doc, "rpo_ms") > 0)
        json_object_set_new(json, "rpo", target(data_ms(doc), integer_of(doc, "rpo_ms")));
    json_object_set_new(json, "belfry", json_string(PACKAGE_VERSION));
    return json;
}

/* ---- the calendar -------------------------------------------------------------------------------------------------
 */

int64_t recovery_early_ms(const char *on, int64_t remind_ms)
{
    int64_t half_ms = drill_on_period_ms(on) / 2;
    return remind_ms < half_ms ? remind_ms : half_ms;
}

int64_t recovery_due_ms(const char *on, int64_t known_wall_ms, int64_t held_wall_ms, int64_t remind_ms)
{
    if (!on)
        return INT64_MAX;
    if (held_wall_ms == 0)
        return drill_on_next(on, known_wall_ms);
    int64_t due_ms = drill_on_next(on, held_wall_ms);
    /* of what is held each week every one counts */
    return due_ms != INT64_MAX && due_ms - held_wall_ms <= recovery_early_ms(on, remind_ms) ? drill_on_next(on, due_ms)
                                                                                            : due_ms;
}
