/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery - runbooks that are followed, as a rehearsal or in earnest: when they are due, one step after another, and
 * what becomes of it in the journal.
 *
 *     idle ──start──► noted ──record on disk──► asked (people) or running (we) ──step──► noted ... ──end──► ending ──►
 * idle └──────────── a command, and the daemon died ──► doubtful (people say what became of it)
 *
 * The table is in core/model/recovery.c. recovery.started has the whole document, each recovery.step one step of it as
 * it is from now on: first when it begins, which is on disk before it does, then when it has ended. So after a restart
 * the fold knows where it was: people are asked again, drills and checks begin again, a command never does. The end is
 * one of recovery.passed, recovery.failed and recovery.cancelled, when the evidence is written.
 *
 * A runbook that is due is called to mind before and told when it is; only one that says so starts by itself. When
 * somebody cancels that, it is told to be due like any other, and waits for people or for its next date.
 *
 * Diagnostics: `runbook 'NAME' is due and can't be started: WHY`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/keeper/recovery.h"
#include "core/keeper/trouble.h"

#define AGAIN_MS 60000 /* after a start that did not come about */

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

/* The record first, then what it says: so we are what a fold would make of it. */
static void emit(struct rehearsal *r, struct event *event, const json_t *figures)
{
    char id[DRILL_ID_SIZE];
    char *text = figures ? json_dumps(figures, JSON_COMPACT) : NULL;
    text_copy(id, sizeof id, text_of(r->doc, "id"));
    event->runbook = r->name;
    event->id = event->id ? event->id : id;
    event->figures = text;
    event->wall_ms = clock_wall_ms();
    keeper_emit(r->all->keeper, event);
    recovery_fold(r->all->keeper, event);
    r->seq = journal_last(r->all->keeper->journal);
    free(text);
}

static void move(struct rehearsal *r, enum recovery_event event)
{
    enum recovery_state state = recovery_next(r->state, event);
    if (state != RECOVERY_STATE_COUNT)
        r->state = state;
}

/* The step, as it is from now on. found: is added to it; or NULL. */
static void record_step(struct rehearsal *r, const char *state, const char *note, const char *by, const json_t *found)
{
    char text[128], name[RUNBOOK_NAME_MAX + 1], short_note[RUNBOOK_NOTE_MAX + 1];
    json_t *step = json_deep_copy(recovery_step(r->doc));
    bool begins = strcmp(state, "asked") == 0 || strcmp(state, "running") == 0;
    json_object_set_new(step, "state", json_string(state));
    if (begins && !json_object_get(step, "began_ms"))
        json_object_set_new(step, "began_ms", json_integer(clock_wall_ms()));
    else if (!begins && strcmp(state, "unknown") != 0)
        json_object_set_new(step, "ended_ms", json_integer(clock_wall_ms()));
    if (note && *note)
        json_object_set_new(step, "note", json_string(text_visible(short_note, sizeof short_note, note, false)));
    if (by)
        json_object_set_new(step, "by", json_string(by));
    json_object_update(step, (json_t *)(uintptr_t)found);
    snprintf(text, sizeof text, "step %lld of %u %s%s%.80s",
             (long long)json_integer_value(json_object_get(step, "number")), recovery_step_count(r->doc), state,
             note && *note ? ": " : "", note ? note : "");
    text_copy(name, sizeof name, text_of(step, "name"));
    struct event event = { .type = EVENT_RECOVERY_STEP, .phase = name, .by = by, .text = text };
    emit(r, &event, step);
    json_decref(step);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* Its begin is recorded; it is begun when that is on disk. */
static void note_step(struct rehearsal *r)
{
    bool people = recovery_step_kind(recovery_step(r->doc)) == STEP_DO;
    record_step(r, people ? "asked" : "running", NULL, NULL, NULL);
}

static void begin_step(struct rehearsal *r)
{
    json_t *step = json_incref(recovery_step(r->doc));
    bool people = recovery_step_kind(step) == STEP_DO;
    move(r, people ? RECOVERY_ON_DISK_MANUAL : RECOVERY_ON_DISK);
    if (!people)
        step_begin(r, step);
    json_decref(step);
}

/* The step has ended and is recorded: the next one, or the end. */
static void go_on(struct rehearsal *r)
{
    bool over = recovery_step(r->doc) == NULL;
    move(r, over ? RECOVERY_END : RECOVERY_STEP);
    if (!over)
        note_step(r);
}

void rehearsal_step_ended(struct rehearsal *r, bool good, const char *note, const json_t *found)
{
    record_step(r, good ? "done" : "failed", note, NULL, found);
    go_on(r);
}

void rehearsal_step_lost(struct rehearsal *r, const char *note)
{
    record_step(r, "unknown", note, NULL, NULL);
    move(r, RECOVERY_LOST);
}

int rehearsal_say(struct rehearsal *r, const char *state, const char *note, const char *by, struct why *why)
{
    bool asked = r->state == RECOVERY_ASKED || r->state == RECOVERY_DOUBTFUL;
    bool skips = strcmp(state, "skipped") == 0;
    if (!asked && !(skips && r->state == RECOVERY_RUNNING))
        return why_say(why, ERROR_REFUSED, "runbook '%s' asks for nothing now; 'belfry drill list' shows where it is",
                       r->name);
    json_t *step = json_incref(recovery_step(r->doc));
    if (r->state == RECOVERY_RUNNING)
        step_stop(r, step);
    record_step(r, state, note, by, NULL);
    go_on(r);
    json_decref(step);
    return 0;
}

int rehearsal_cancel(struct rehearsal *r, const char *by, struct why *why)
{
    if (r->state == RECOVERY_IDLE || r->state == RECOVERY_ENDING)
        return why_say(why, ERROR_REFUSED, "runbook '%s' is not being followed", r->name);
    json_t *step = json_incref(recovery_step(r->doc));
    if (r->state == RECOVERY_RUNNING)
        step_stop(r, step);
    record_step(r, "cancelled", NULL, by, NULL);
    go_on(r);
    json_decref(step);
    return 0;
}

int rehearsal_start(struct rehearsal *r, const char *by, struct why *why)
{
    const struct runbook *runbook = config_runbook_find(r->all->keeper->config, r->name);
    char id[DRILL_ID_SIZE];
    if (r->state != RECOVERY_IDLE)
        return why_say(why, ERROR_BUSY, "runbook '%s' is being followed; 'belfry drill cancel %s' ends it", r->name,
                       r->name);
    if (!runbook)
        return why_say(why, ERROR_UNKNOWN_NAME, "runbook '%s' is not in the configuration any more", r->name);
    errand_id(id);
    json_t *doc = recovery_open(runbook, id, by, clock_wall_ms());
    struct event event = { .type = EVENT_RECOVERY_STARTED, .id = id, .by = by };
    emit(r, &event, doc);
    json_decref(doc);
    move(r, RECOVERY_START);
    note_step(r);
    return 0;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* When the calendar wants it next. */
static void plan_next(struct rehearsal *r)
{
    const struct runbook *runbook = config_runbook_find(r->all->keeper->config, r->name);
    r->due_wall_ms =
        runbook ? recovery_due_ms(runbook->on, r->known_wall_ms, r->held_wall_ms, runbook->remind_ms) : INT64_MAX;
}

/* Who cancelled it. */
static const char *find_by(const json_t *evidence)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(evidence, "steps"), i, step)
    {
        if (strcmp(text_of(step, "state"), "cancelled") == 0)
            return text_of(step, "by");
    }
    return NULL;
}

/* The evidence is written, with this hash, or could not be. */
static void record_end(struct rehearsal *r, const char *sha256)
{
    json_t *evidence = recovery_evidence(r->doc);
    const char *result = text_of(evidence, "result");
    struct event event = { .type = strcmp(result, "passed") == 0   ? EVENT_RECOVERY_PASSED
                                   : strcmp(result, "failed") == 0 ? EVENT_RECOVERY_FAILED
                                                                   : EVENT_RECOVERY_CANCELLED,
                           .phase = json_string_value(json_object_get(evidence, "phase")),
                           .by = find_by(evidence),
                           .pause_ms = json_integer_value(json_object_get(evidence, "ms")),
                           .text = json_string_value(json_object_get(evidence, "reason")) };
    json_object_set_new(evidence, "evidence", json_string(sha256));
    json_t *figures = errand_figures(evidence);
    move(r, RECOVERY_KEPT);
    emit(r, &event, figures);
    json_decref(figures);
    errand_keep(&r->last, evidence);
    plan_next(r);
    errand_show(r->all->keeper, "recovery", r->name);
}

static void keep_evidence(struct rehearsal *r)
{
    struct arena arena = { 0 };
    const char *folder =
        file_join(&arena, r->all->keeper->config->state_dir, arena_print(&arena, "recovery/%s", r->name));
    json_t *job = json_pack("{s:o, s:s}", "evidence", recovery_evidence(r->doc), "folder", folder);
    int code = rehearsal_send(r, job);
    json_decref(job);
    arena_close(&arena);
    if (code == 0)
        return;
    log_warn("keeper", "the evidence of runbook '%s' can't be written: %s", r->name, error_text(code));
    record_end(r, "");
}

/* ---- the process of an errand ------------------------------------------------------------------------------------ */

static bool take(void *owner, json_t *json, bool last)
{
    struct rehearsal *r = owner;
    if (!last || r->answer)
        return false;
    errand_keep(&r->answer, json_incref(json));
    return true;
}

/* One that was stopped, because its step was skipped or all was cancelled, is not asked. */
static void on_end(void *owner, const char *end)
{
    struct rehearsal *r = owner;
    enum waited waited = r->waited;
    r->waited = WAITED_NONE;
    if (r->all->keeper->stopping)
        return;
    if (waited == WAITED_EVIDENCE)
        record_end(r, text_of(r->answer, "sha256"));
    else if (waited == WAITED_COMMAND)
        step_answered(r, end);
}

static void forget(void *owner)
{
    struct rehearsal *r = owner;
    json_decref(r->doc);
    json_decref(r->answer);
    json_decref(r->last);
    free(r);
}

const struct errand_type recovery_errand = { "belfry-recovery", "runbook", take, on_end, forget };

int rehearsal_send(struct rehearsal *r, json_t *job)
{
    char *text = json_dumps(job, JSON_COMPACT);
    errand_keep(&r->answer, NULL);
    int failed = errand_start(&r->errand, r->name, text);
    free(text);
    if (!failed)
        r->waited = json_object_get(job, "command") ? WAITED_COMMAND : WAITED_EVIDENCE;
    return failed;
}

/* ---- the calendar ------------------------------------------------------------------------------------------------ */

static void tell(struct rehearsal *r, enum event_type type)
{
    char text[96], when[TEXT_TIME_SIZE];
    json_t *figures = json_pack("{s:I}", "due_ms", (json_int_t)r->due_wall_ms);
    snprintf(text, sizeof text, "a rehearsal is due %s%s", type == EVENT_RECOVERY_DUE ? "since " : "on ",
             text_format_local(when, r->due_wall_ms));
    struct event event = { .type = type, .text = text };
    emit(r, &event, figures);
    json_decref(figures);
}

static void start_due(struct rehearsal *r, int64_t now_ms)
{
    struct why why = { "" };
    if (now_ms < r->again_ms || trouble_refuses(r->all->keeper, &why))
        return;
    r->again_ms = now_ms + AGAIN_MS;
    if (rehearsal_start(r, "calendar", &why) != 0)
        log_warn("keeper", "runbook '%s' is due and can't be started: %s", r->name, why.text);
}

/* When it begins by itself, INT64_MAX: never. What was cancelled since it was due waits for the next date. */
static int64_t begins_wall_ms(const struct rehearsal *r, const struct runbook *runbook)
{
    if (!runbook_starts_itself(runbook))
        return INT64_MAX;
    return r->cancelled_wall_ms < r->due_wall_ms ? r->due_wall_ms : drill_on_next(runbook->on, r->cancelled_wall_ms);
}

static void watch_calendar(struct rehearsal *r, int64_t now_ms)
{
    const struct runbook *runbook = config_runbook_find(r->all->keeper->config, r->name);
    int64_t wall_ms = clock_wall_ms(), due_ms = r->due_wall_ms;
    if (!runbook || due_ms == INT64_MAX)
        return;
    if (wall_ms >= begins_wall_ms(r, runbook))
        start_due(r, now_ms);
    else if (wall_ms >= due_ms && r->told_wall_ms != due_ms)
        tell(r, EVENT_RECOVERY_DUE);
    else if (!runbook_starts_itself(runbook) && wall_ms < due_ms &&
             wall_ms >= due_ms - recovery_early_ms(runbook->on, runbook->remind_ms) && r->reminded_wall_ms != due_ms)
        tell(r, EVENT_RECOVERY_REMINDED);
}

/* ---- the room's surface ------------------------------------------------------------------------------------------ */

void recovery_open_all(struct keeper *keeper)
{
    keeper->rehearsals = heap_alloc(sizeof *keeper->rehearsals);
    keeper->rehearsals->keeper = keeper;
}

/* Where it was when the daemon ended. A command that had begun is left to people, in the first housekeeping. */
void recovery_folded(struct keeper *keeper)
{
    for (struct rehearsal *r = keeper->rehearsals->first; r; r = r->next) {
        const json_t *step = recovery_step(r->doc);
        bool doubtful = step && strcmp(text_of(step, "state"), "unknown") == 0;
        r->state = !r->doc ? RECOVERY_IDLE : !step ? RECOVERY_ENDING : doubtful ? RECOVERY_DOUBTFUL : RECOVERY_NOTED;
        r->resumed = r->state == RECOVERY_NOTED;
    }
}

void recovery_configure(struct keeper *keeper)
{
    for (uint32_t i = 0; i < keeper->config->runbook_count; i++) {
        struct rehearsal *r = rehearsal_get(keeper->rehearsals, keeper->config->runbooks[i].name);
        struct event event = { .type = EVENT_RECOVERY_KNOWN };
        if (r->known_wall_ms == 0)
            emit(r, &event, NULL);
    }
    for (struct rehearsal *r = keeper->rehearsals->first; r; r = r->next)
        plan_next(r);
}

/* The step at which the daemon ended. Without any state the end came between two records: it has not begun. */
static void resume(struct rehearsal *r)
{
    const json_t *step = recovery_step(r->doc);
    bool begun = strcmp(text_of(step, "state"), "running") == 0;
    r->resumed = false;
    if (begun && recovery_step_kind(step) == STEP_COMMAND)
        rehearsal_step_lost(r, "the daemon ended while it ran");
    else if (strcmp(text_of(step, "state"), "waiting") == 0)
        note_step(r);
}

static void work(struct rehearsal *r, int64_t now_ms)
{
    if (r->state == RECOVERY_NOTED && r->resumed)
        resume(r);
    else if (r->state == RECOVERY_NOTED && !r->errand.busy && journal_durable(r->all->keeper->journal) >= r->seq)
        begin_step(r);
    else if (r->state == RECOVERY_RUNNING)
        step_watch(r, recovery_step(r->doc), now_ms);
    else if (r->state == RECOVERY_ENDING && !r->errand.busy)
        keep_evidence(r);
    else if (r->state == RECOVERY_IDLE)
        watch_calendar(r, now_ms);
}

void recovery_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms)
{
    for (struct rehearsal *r = keeper->rehearsals->first; r; r = r->next) {
        errand_watch(&r->errand, now_ms, stalled_ms);
        step_tidy(r);
        work(r, now_ms);
    }
}

bool recovery_is_ours(const struct keeper *keeper, pid_t pid)
{
    const struct rehearsal *r = keeper->rehearsals ? keeper->rehearsals->first : NULL;
    while (r && !errand_is(&r->errand, pid))
        r = r->next;
    return r != NULL;
}

/* An errand sees the end of its socket and ends what it runs. */
void recovery_close(struct keeper *keeper)
{
    struct rehearsal *next;
    for (struct rehearsal *r = keeper->rehearsals ? keeper->rehearsals->first : NULL; r; r = next) {
        next = r->next;
        errand_close(&r->errand);
    }
    free(keeper->rehearsals);
    keeper->rehearsals = NULL;
}
