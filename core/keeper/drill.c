/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - restore drills as the keeper sees them: when they are due, one belfry-drill for each that runs, and what
 * becomes of it in the journal.
 *
 *     idle ──due, command──► noted ──record on disk──► running ──outcome──► idle
 *                              └──plan───────────────────┘ └──it died──► left ──reaped──► idle
 *
 * drill.started, with the run's id and its workspace, is on disk before anything else happens; each run ends with one
 * of drill.passed, drill.failed, drill.cancelled and drill.abandoned. A start of the daemon that finds one without an
 * end has a belfry-drill clean up exactly that run's processes and folder, and records it as abandoned. A drill of the
 * calendar waits while another one runs.
 *
 * Diagnostics: `drill 'NAME' is due and can't be started: WHY`. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/keeper/drill.h"
#include "core/keeper/trouble.h"

#define TEXT_BYTES_MAX (1u << 20)
#define AGAIN_MS 60000 /* after a start that did not come about */

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

static void on_gone(struct child *child)
{
    struct drilling *d = child->owner;
    d->has_child = false;
    if (!d->closed)
        return;
    json_decref(d->progress);
    json_decref(d->last);
    json_decref(d->planned);
    free(d->workspace);
    free(d->job);
    free(d);
}

static void set_json(json_t **at, json_t *json)
{
    json_decref(*at);
    *at = json;
}

/* What the journal keeps of the evidence: all but what the record says by itself. */
static char *figures_of(const json_t *evidence)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)evidence);
    static const char *const said[] = { "drill", "id", "result", "phase", "reason", "started_ms", "ms" };
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        json_object_del(copy, said[i]);
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    return text;
}

static void record_outcome(struct drilling *d, const json_t *evidence)
{
    static const struct {
        const char *result;
        enum event_type type;
    } types[] = { { "passed", EVENT_DRILL_PASSED },
                  { "failed", EVENT_DRILL_FAILED },
                  { "cancelled", EVENT_DRILL_CANCELLED } };
    const char *result = json_string_value(json_object_get(evidence, "result"));
    char id[DRILL_ID_SIZE], *figures = figures_of(evidence);
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
        set_json(&d->planned, json_incref(outcome));
    else
        record_outcome(d, outcome);
    if (d->stage == STAGE_RUNNING && !d->plan)
        set_json(&d->last, json_incref(outcome));
    return true;
}

static bool on_frame(struct child *child, struct wire_frame *frame)
{
    struct drilling *d = child->owner;
    struct arena arena = { 0 };
    bool done = frame->type == WIRE_DRILL_DONE, good = done || frame->type == WIRE_DRILL_PROGRESS;
    const char *text = good ? wire_text(&frame->payload, &arena, TEXT_BYTES_MAX) : NULL;
    json_t *json = text && wire_done(&frame->payload) == 0 ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    good = json_is_object(json);
    if (good && done)
        good = on_done(d, json);
    else if (good)
        set_json(&d->progress, json_incref(json));
    json_decref(json);
    arena_close(&arena);
    return good;
}

/* Its check shows what is new at once. */
static void refresh_check(struct drilling *d)
{
    struct keeper *keeper = d->drills->keeper;
    char id[80];
    snprintf(id, sizeof id, "drills/%s", d->name);
    uint32_t slot = schedule_find(keeper->schedule, id);
    if (slot == SCHEDULE_NONE || keeper->stopping)
        return;
    schedule_run_now(keeper->schedule, slot, clock_instant());
    dispatch_all(keeper);
    keeper_plan(keeper);
}

static void on_exit_of(struct child *child)
{
    struct drilling *d = child->owner;
    char end[64];
    set_json(&d->progress, NULL);
    if (d->done || d->plan) {
        if (!d->done)
            set_json(&d->planned, json_pack("{s:s, s:s, s:s}", "id", d->id, "result", "failed", "reason",
                                            "its process came to an end"));
        d->stage = STAGE_IDLE;
        if (d->plan)
            d->id[0] = '\0';
    } else {
        snprintf(d->lost, sizeof d->lost, "its process was ended by %s", child_end_text(child, end, sizeof end));
        d->again_ms = d->stage == STAGE_REAPING ? clock_now_ms() + AGAIN_MS : 0;
        d->stage = STAGE_LEFT;
    }
    d->plan = false;
    plan_next(d);
    refresh_check(d);
    child_close(child);
}

static int start_child(struct drilling *d, const char *job)
{
    struct keeper *keeper = d->drills->keeper;
    struct child *child = &d->child;
    memset(child, 0, sizeof *child);
    snprintf(child->name, sizeof child->name, "drill %s", d->name);
    child->owner = d;
    child->on_frame = on_frame;
    child->on_exit = on_exit_of;
    child->on_gone = on_gone;
    const char *argv[] = { "belfry-drill", NULL };
    const struct spawn_limit limits[] = { { RLIMIT_CORE, 0 } };
    const struct child_spec spec = { .program = spawn_member("belfry-drill"),
                                     .argv = argv,
                                     .limits = limits,
                                     .limit_count = 1,
                                     .extra_fd = -1,
                                     .outlives = true };
    int failed = child_start(child, &keeper->loop, &keeper->dirty, &spec);
    if (failed)
        return failed;
    size_t begin = wire_begin(&child->link.out, WIRE_DRILL);
    wire_put_text(&child->link.out, job);
    wire_end(&child->link.out, begin);
    link_changed(&child->link);
    child_move(child, LIFE_IS_READY);
    d->has_child = true;
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
    d->stage = STAGE_IDLE;
    d->plan = false;
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
    unsigned char random[(DRILL_ID_SIZE - 1) / 2];
    char *text = NULL;
    copy.backup = backup;
    digest_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(d->id + 2 * i, 3, "%02x", random[i]);
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
    if (d->stage != STAGE_IDLE || d->has_child)
        return why_say(why, ERROR_BUSY, "drill '%s' is running; 'belfry drill cancel %s' ends it", d->name, d->name);
    d->plan = plan;
    d->job = make_job(d, config, backup, why);
    if (!d->job) {
        d->id[0] = '\0';
        return ERROR_REFUSED;
    }
    set_json(&d->planned, NULL);
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
    wire_end(&d->child.link.out, wire_begin(&d->child.link.out, WIRE_STOP));
    link_changed(&d->child.link);
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
        if (d->has_child) {
            child_forgive(&d->child, stalled_ms);
            child_watch(&d->child, now_ms, true); /* it may have a large folder to remove */
        } else if (d->stage == STAGE_NOTED && journal_durable(keeper->journal) >= d->seq) {
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
    while (d && !(d->has_child && d->child.pid == pid))
        d = d->next;
    return d != NULL;
}

/* One that runs sees the end of its socket, cancels itself and cleans up; the next start records it. */
void drill_close(struct keeper *keeper)
{
    struct drilling *next;
    for (struct drilling *d = keeper->drills ? keeper->drills->first : NULL; d; d = next) {
        next = d->next;
        d->closed = true;
        if (d->has_child)
            child_close(&d->child);
        else
            on_gone(&(struct child){ .owner = d });
    }
    free(keeper->drills);
    keeper->drills = NULL;
}
