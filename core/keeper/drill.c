/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - restore drills as the keeper sees them: when they are due, one belfry-drill for each that runs, and what
 * becomes of it in the journal.
 *
 *     idle ──due, command──► noted ──record on disk──► running ──outcome──► idle
 *                              └──plan───────────────────┘ └──it died──► left ──reaped──► idle
 *
 * drill.started, with the run's id and its workspace, is on disk before anything else happens; drill.progress tells of
 * each phase, each tenth of the backup and each minute as it goes; each run ends with one of drill.passed,
 * drill.failed, drill.cancelled and drill.abandoned. A start of the daemon that finds one without an end has a
 * belfry-drill clean up exactly that run's processes and folder, and records it as abandoned. A drill of the calendar
 * waits while another one runs.
 *
 * Diagnostics: `drill 'NAME' is due and can't be started: WHY`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/keeper/drill.h"
#include "core/keeper/trouble.h"

#define AGAIN_MS 60000 /* after a start that did not come about */
#define NEWS_MS 60000  /* between records of a drill that comes no further */

static void emit(struct drilling *d, struct event *event)
{
    event->drill = d->name;
    event->wall_ms = clock_wall_ms();
    keeper_emit(d->drills->keeper, event);
    drill_fold(d->drills->keeper, event);
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

static void plan_next(struct drilling *d)
{
    const struct drill_config *config = config_drill_find(d->drills->keeper->config, d->name);
    int64_t after_ms = d->started_wall_ms ? d->started_wall_ms : clock_wall_ms();
    d->due_wall_ms = config && config->on ? drill_on_next(config->on, after_ms) : INT64_MAX;
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static void record_outcome(struct drilling *d, const json_t *evidence)
{
    static const struct {
        const char *result;
        enum event_type type;
    } types[] = { { "passed", EVENT_DRILL_PASSED },
                  { "failed", EVENT_DRILL_FAILED },
                  { "cancelled", EVENT_DRILL_CANCELLED } };
    const char *result = json_string_value(json_object_get(evidence, "result"));
    json_t *kept = errand_figures(evidence);
    char id[DRILL_ID_SIZE], *figures = json_dumps(kept, JSON_COMPACT);
    struct event event = { .type = EVENT_DRILL_FAILED,
                           .id = text_copy(id, sizeof id, d->id) ? id : "",
                           .phase = json_string_value(json_object_get(evidence, "phase")),
                           .pause_ms = json_integer_value(json_object_get(evidence, "ms")),
                           .figures = figures,
                           .by = d->by[0] ? d->by : NULL,
                           .text = json_string_value(json_object_get(evidence, "reason")) };
    for (size_t i = 0; result && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].result, result) == 0)
            event.type = types[i].type;
    emit(d, &event);
    free(figures);
    json_decref(kept);
}

static void abandon(struct drilling *d, const json_t *outcome)
{
    char text[512], id[DRILL_ID_SIZE];
    const char *reason = json_string_value(json_object_get(outcome, "reason"));
    long long count = json_integer_value(json_object_get(outcome, "processes"));
    text_copy(id, sizeof id, d->id);
    snprintf(text, sizeof text, "%s; %lld processes of it were ended, %s%s", d->lost, count,
             reason && *reason ? "and its folder stays: " : "its folder is gone", reason ? reason : "");
    struct event event = { .type = EVENT_DRILL_ABANDONED, .id = id, .text = text };
    emit(d, &event);
}

static bool on_done(struct drilling *d, json_t *outcome)
{
    if (d->done)
        return false;
    d->done = true;
    if (d->stage == STAGE_REAPING)
        abandon(d, outcome);
    else if (d->plan)
        errand_keep(&d->planned, json_incref(outcome));
    else
        record_outcome(d, outcome);
    if (d->stage == STAGE_RUNNING && !d->plan)
        errand_keep(&d->last, json_incref(outcome));
    return true;
}

static int64_t number_of(const json_t *progress, const char *key)
{
    return json_integer_value(json_object_get(progress, key));
}

/* A phase, a tenth of the backup or a minute further than what the journal has. */
static bool is_news(const struct drilling *d, const json_t *progress)
{
    return !json_equal(json_object_get(d->noted, "phase"), json_object_get(progress, "phase")) ||
           number_of(d->noted, "percent") / 10 != number_of(progress, "percent") / 10 ||
           number_of(d->noted, "ms") / NEWS_MS != number_of(progress, "ms") / NEWS_MS;
}

static void record_progress(struct drilling *d, json_t *progress)
{
    if (d->plan || !is_news(d, progress))
        return;
    errand_keep(&d->noted, json_incref(progress));
    json_t *kept = errand_figures(progress);
    char *figures = json_dumps(kept, JSON_COMPACT);
    struct event event = { .type = EVENT_DRILL_PROGRESS,
                           .id = d->id,
                           .phase = json_string_value(json_object_get(progress, "phase")),
                           .pause_ms = number_of(progress, "ms"),
                           .figures = figures };
    emit(d, &event);
    free(figures);
    json_decref(kept);
}

static bool take(void *owner, json_t *json, bool last)
{
    struct drilling *d = owner;
    if (last)
        return on_done(d, json);
    errand_keep(&d->progress, json_incref(json));
    record_progress(d, json);
    return true;
}

static void on_end(void *owner, const char *end)
{
    struct drilling *d = owner;
    errand_keep(&d->progress, NULL);
    errand_keep(&d->noted, NULL);
    if (d->done || d->plan) {
        if (!d->done)
            errand_keep(&d->planned, json_pack("{s:s, s:s, s:s}", "id", d->id, "result", "failed", "reason",
                                               "its process came to an end"));
        d->stage = STAGE_IDLE;
        if (d->plan)
            d->id[0] = '\0';
    } else {
        snprintf(d->lost, sizeof d->lost, "its process was ended by %s", end);
        d->again_ms = d->stage == STAGE_REAPING ? clock_now_ms() + AGAIN_MS : 0;
        d->stage = STAGE_LEFT;
    }
    d->plan = false;
    plan_next(d);
    errand_show(d->drills->keeper, "drills", d->name);
}

static void forget(void *owner)
{
    struct drilling *d = owner;
    json_decref(d->progress);
    json_decref(d->noted);
    json_decref(d->last);
    json_decref(d->planned);
    free(d->workspace);
    free(d->job);
    free(d);
}

const struct errand_type drill_errand = { "belfry-drill", "drill", take, on_end, forget };

static int start_child(struct drilling *d, const char *job)
{
    int failed = errand_start(&d->errand, d->name, job);
    if (failed)
        return failed;
    d->done = false;
    d->by[0] = '\0';
    return 0;
}

/* The record is on disk, or none is needed. */
static void begin_run(struct drilling *d)
{
    int failed = start_child(d, d->job);
    memset(d->job, 0, strlen(d->job)); /* it holds secrets */
    free(d->job);
    d->job = NULL;
    d->stage = STAGE_RUNNING;
    if (!failed)
        return;
    json_t *outcome = json_pack("{s:s, s:s, s:s, s:s}", "id", d->id, "result", "failed", "phase", "fetch", "reason",
                                error_text(failed));
    d->done = false;
    on_done(d, outcome);
    json_decref(outcome);
    on_end(d, "");
}

static void begin_reaping(struct drilling *d, int64_t now_ms)
{
    json_t *job = json_pack("{s:s, s:s, s:b}", "id", d->id, "workspace", d->workspace ? d->workspace : "", "reap", 1);
    char *text = json_dumps(job, JSON_COMPACT);
    d->again_ms = now_ms + AGAIN_MS;
    if (start_child(d, text) == 0)
        d->stage = STAGE_REAPING;
    free(text);
    json_decref(job);
}

/* The secret that *text names, into *text. */
static bool read_secret(struct keeper *keeper, struct arena *arena, const char *field, const char **text,
                        struct why *why)
{
    return !*text || config_secret_read(keeper->config, arena, field, *text, text, why) == 0;
}

/* The job with the secrets in it; NULL with *why. */
static char *make_job(struct drilling *d, const struct drill_config *config, const char *backup, struct why *why)
{
    struct keeper *keeper = d->drills->keeper;
    struct arena arena = { 0 };
    struct drill_config copy = *config;
    char *text = NULL;
    copy.backup = backup;
    errand_id(d->id);
    if (read_secret(keeper, &arena, "key", &copy.key, why) &&
        read_secret(keeper, &arena, "access", &copy.access, why)) {
        json_t *job = json_pack("{s:s, s:o, s:s, s:b}", "id", d->id, "drill", drill_encode(&copy), "record",
                                file_join(&arena, keeper->config->state_dir, arena_print(&arena, "drills/%s", d->name)),
                                "plan", d->plan);
        text = json_dumps(job, JSON_COMPACT);
        json_decref(job);
    }
    arena_close(&arena);
    return text;
}

int drilling_start(struct drilling *d, const char *backup, bool plan, const char *by, struct why *why)
{
    struct keeper *keeper = d->drills->keeper;
    const struct drill_config *config = config_drill_find(keeper->config, d->name);
    if (d->stage != STAGE_IDLE || d->errand.busy)
        return why_say(why, ERROR_BUSY, "drill '%s' is running; 'belfry drill cancel %s' ends it", d->name, d->name);
    d->plan = plan;
    d->job = make_job(d, config, backup, why);
    if (!d->job) {
        d->id[0] = '\0';
        return ERROR_REFUSED;
    }
    errand_keep(&d->planned, NULL);
    if (plan) {
        begin_run(d);
        return 0;
    }
    char id[DRILL_ID_SIZE];
    text_copy(id, sizeof id, d->id);
    struct event event = { .type = EVENT_DRILL_STARTED, .id = id, .by = by, .path = config->workspace };
    emit(d, &event);
    d->seq = journal_last(keeper->journal);
    d->stage = STAGE_NOTED;
    return 0;
}

void drilling_cancel(struct drilling *d, const char *by)
{
    text_copy(d->by, sizeof d->by, by);
    errand_stop(&d->errand);
}

/* ---- the room's surface ------------------------------------------------------------------------------------------ */

void drill_open(struct keeper *keeper)
{
    keeper->drills = heap_alloc(sizeof *keeper->drills);
    keeper->drills->keeper = keeper;
}

void drill_folded(struct keeper *keeper)
{
    for (struct drilling *d = keeper->drills->first; d; d = d->next) {
        if (!d->id[0])
            continue;
        d->stage = STAGE_LEFT;
        text_copy(d->lost, sizeof d->lost, "the daemon ended while it ran");
    }
}

void drill_configure(struct keeper *keeper)
{
    for (uint32_t i = 0; i < keeper->config->drill_count; i++)
        drilling_get(keeper->drills, keeper->config->drills[i].name);
    for (struct drilling *d = keeper->drills->first; d; d = d->next)
        plan_next(d);
}

static bool is_any_running(const struct drills *drills)
{
    const struct drilling *d = drills->first;
    while (d && d->stage == STAGE_IDLE)
        d = d->next;
    return d != NULL;
}

static void start_due(struct drilling *d, int64_t now_ms)
{
    struct why why = { "" };
    if (clock_wall_ms() < d->due_wall_ms || now_ms < d->again_ms || is_any_running(d->drills) ||
        trouble_refuses(d->drills->keeper, &why))
        return;
    if (drilling_start(d, NULL, false, "calendar", &why) == 0)
        return;
    d->again_ms = now_ms + AGAIN_MS;
    log_warn("keeper", "drill '%s' is due and can't be started: %s", d->name, why.text);
}

void drill_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms)
{
    for (struct drilling *d = keeper->drills->first; d; d = d->next) {
        errand_watch(&d->errand, now_ms, stalled_ms);
        if (d->errand.busy)
            continue;
        if (d->stage == STAGE_NOTED && journal_durable(keeper->journal) >= d->seq) {
            begin_run(d);
        } else if (d->stage == STAGE_LEFT && now_ms >= d->again_ms) {
            begin_reaping(d, now_ms);
        } else if (d->stage == STAGE_IDLE) {
            start_due(d, now_ms);
        }
    }
}

bool drill_is_ours(const struct keeper *keeper, pid_t pid)
{
    const struct drilling *d = keeper->drills ? keeper->drills->first : NULL;
    while (d && !errand_is(&d->errand, pid))
        d = d->next;
    return d != NULL;
}

/* One that runs sees the end of its socket, cancels itself and cleans up; the next start records it. */
void drill_close(struct keeper *keeper)
{
    struct drilling *next;
    for (struct drilling *d = keeper->drills ? keeper->drills->first : NULL; d; d = next) {
        next = d->next;
        errand_close(&d->errand);
    }
    free(keeper->drills);
    keeper->drills = NULL;
}
