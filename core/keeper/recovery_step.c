/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery_step - the steps of a runbook that are not done by people: a command in a process of its own, a drill, a
 * check that must turn OK. One table: how a kind begins, how it is watched while it runs, how it is stopped. */
#include <stdio.h>
#include <string.h>

#include "core/keeper/drill.h"
#include "core/keeper/recovery.h"

#define ASK_AGAIN_MS 5000   /* the check, beside its own schedule */
#define START_AGAIN_MS 1000 /* the drill, when it is busy */

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static int64_t within_ms(const json_t *step)
{
    return json_integer_value(json_object_get(step, "within_ms"));
}

/* ---- a command --------------------------------------------------------------------------------------------------- */

static void begin_command(struct rehearsal *r, const json_t *step)
{
    json_t *job = json_pack("{s:s, s:I}", "command", text_of(step, "what"), "within_ms", (json_int_t)within_ms(step));
    int code = rehearsal_send(r, job);
    json_decref(job);
    if (code != 0)
        rehearsal_step_ended(r, false, error_text(code), NULL);
}

void step_answered(struct rehearsal *r, const char *end)
{
    char note[400] = "";
    const char *wrong = text_of(r->answer, "end"), *output = text_of(r->answer, "output");
    const char *line = strrchr(output, '\n') ? strrchr(output, '\n') + 1 : output;
    if (!r->answer) {
        snprintf(note, sizeof note, "the process that ran it was ended by %s", end);
        rehearsal_step_lost(r, note);
        return;
    }
    if (*wrong)
        snprintf(note, sizeof note, "%s%s%.200s", wrong, *line ? ": " : "", line);
    json_t *found = *output ? json_pack("{s:s}", "output", output) : NULL;
    rehearsal_step_ended(r, *wrong == '\0', note, found);
    json_decref(found);
}

static void stop_command(struct rehearsal *r, const json_t *step)
{
    (void)step;
    r->waited = WAITED_NONE;
    if (r->errand.busy)
        errand_stop(&r->errand);
}

/* ---- a drill ----------------------------------------------------------------------------------------------------- */

static struct drilling *find_drill(const struct rehearsal *r, const json_t *step)
{
    const struct keeper *keeper = r->all->keeper;
    const char *name = text_of(step, "what");
    return config_drill_find(keeper->config, name) ? drilling_find(keeper->drills, name) : NULL;
}

static void begin_drill(struct rehearsal *r, const json_t *step)
{
    char by[80];
    struct why why = { "" };
    struct drilling *d = find_drill(r, step);
    snprintf(by, sizeof by, "runbook:%s", r->name);
    int code = d ? drilling_start(d, NULL, false, by, &why) : ERROR_UNKNOWN_NAME;
    if (code == 0)
        text_copy(r->run, sizeof r->run, d->id);
    else if (code == ERROR_BUSY)
        r->again_ms = clock_now_ms() + START_AGAIN_MS;
    else
        rehearsal_step_ended(r, false, d ? why.text : "the drill is not in the configuration any more", NULL);
}

static void end_drill(struct rehearsal *r, const struct drilling *d)
{
    char note[640] = "";
    const json_t *evidence = strcmp(text_of(d->last, "id"), r->run) == 0 ? d->last : NULL;
    const json_t *rpo = json_object_get(evidence, "rpo");
    bool good = strcmp(d->result, "passed") == 0;
    json_t *found = json_pack("{s:s}", "drill", r->run);
    if (rpo)
        json_object_set(found, "rpo_ms", json_object_get(rpo, "ms"));
    if (!good)
        snprintf(note, sizeof note, "the drill has %s%s%s", strcmp(d->result, "failed") == 0 ? "failed" : "ended: ",
                 strcmp(d->result, "failed") == 0 ? ": " : d->result, text_of(evidence, "reason"));
    rehearsal_step_ended(r, good, note, found);
    json_decref(found);
}

static void watch_drill(struct rehearsal *r, const json_t *step, int64_t now_ms)
{
    const struct drilling *d = find_drill(r, step);
    if (!r->run[0]) {
        if (now_ms >= r->again_ms)
            begin_drill(r, step);
    } else if (!d) {
        rehearsal_step_ended(r, false, "the drill is not in the configuration any more", NULL);
    } else if (strcmp(d->id, r->run) != 0) {
        end_drill(r, d);
    }
}

static void stop_drill(struct rehearsal *r, const json_t *step)
{
    text_copy(r->unwanted.drill, sizeof r->unwanted.drill, text_of(step, "what"));
    text_copy(r->unwanted.run, sizeof r->unwanted.run, r->run);
    step_tidy(r);
}

/* One that has not begun yet can't be cancelled before. */
void step_tidy(struct rehearsal *r)
{
    char by[80];
    struct drilling *d = r->unwanted.run[0] ? drilling_find(r->all->keeper->drills, r->unwanted.drill) : NULL;
    bool runs = d && strcmp(d->id, r->unwanted.run) == 0;
    if (runs && (d->stage == STAGE_NOTED || !d->errand.busy))
        return;
    snprintf(by, sizeof by, "runbook:%s", r->name);
    if (runs)
        drilling_cancel(d, by);
    r->unwanted.run[0] = '\0';
}

/* ---- a check ----------------------------------------------------------------------------------------------------- */

static void ask_check(struct rehearsal *r, uint32_t slot)
{
    struct keeper *keeper = r->all->keeper;
    schedule_run_now(keeper->schedule, slot, clock_instant());
    r->again_ms = clock_now_ms() + ASK_AGAIN_MS;
    dispatch_all(keeper);
    keeper_plan(keeper);
}

static void begin_check(struct rehearsal *r, const json_t *step)
{
    const struct schedule *schedule = r->all->keeper->schedule;
    uint32_t slot = schedule_find(schedule, text_of(step, "what"));
    if (slot == SCHEDULE_NONE)
        return;
    const struct check_view *view = schedule_view(schedule, slot);
    r->runs = view->runs + (view->run ? 2 : 1); /* one in progress saw what was before */
    ask_check(r, slot);
}

/* By a run since the step began. */
static bool is_well(const struct rehearsal *r, const struct check_view *view)
{
    return view->runs >= r->runs && view->standing.state == BELFRY_OK;
}

static void watch_check(struct rehearsal *r, const json_t *step, int64_t now_ms)
{
    char note[512], within[TEXT_DURATION_SIZE];
    const struct keeper *keeper = r->all->keeper;
    uint32_t slot = schedule_find(keeper->schedule, text_of(step, "what"));
    const struct check_view *view = slot == SCHEDULE_NONE ? NULL : schedule_view(keeper->schedule, slot);
    if (!view) {
        rehearsal_step_ended(r, false, "the check is not in the configuration any more", NULL);
    } else if (is_well(r, view)) {
        json_t *found = json_pack("{s:s}", "output", view->text);
        rehearsal_step_ended(r, true, NULL, found);
        json_decref(found);
    } else if (now_ms - r->began_ms >= within_ms(step)) {
        snprintf(note, sizeof note, "it did not turn OK within %s: %s %.380s", text_format_age(within, within_ms(step)),
                 state_name(view->standing.state), view->text);
        rehearsal_step_ended(r, false, note, NULL);
    } else if (now_ms >= r->again_ms) {
        ask_check(r, slot);
    }
}

/* ---- all -----------------------------------------------------------------------------------------------------------
 */

static const struct {
    void (*begin)(struct rehearsal *r, const json_t *step);
    void (*watch)(struct rehearsal *r, const json_t *step, int64_t now_ms);
    void (*stop)(struct rehearsal *r, const json_t *step);
} kinds[STEP_KIND_COUNT] = {
    [STEP_COMMAND] = { begin_command, NULL, stop_command },
    [STEP_DRILL] = { begin_drill, watch_drill, stop_drill },
    [STEP_CHECK] = { begin_check, watch_check, NULL },
};

void step_begin(struct rehearsal *r, const json_t *step)
{
    r->run[0] = '\0';
    r->began_ms = clock_now_ms();
    r->again_ms = 0;
    kinds[recovery_step_kind(step)].begin(r, step);
}

void step_watch(struct rehearsal *r, const json_t *step, int64_t now_ms)
{
    if (kinds[recovery_step_kind(step)].watch)
        kinds[recovery_step_kind(step)].watch(r, step, now_ms);
}

void step_stop(struct rehearsal *r, const json_t *step)
{
    if (kinds[recovery_step_kind(step)].stop)
        kinds[recovery_step_kind(step)].stop(r, step);
}
