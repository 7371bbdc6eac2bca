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
#include "core/keeper/child.h"
#include "core/keeper/keeper.h"
#include "core/keeper/trouble.h"

#define TEXT_BYTES_MAX (1u << 20)
#define AGAIN_MS 60000 /* after a start that did not come about */

enum stage {
    STAGE_IDLE,
    STAGE_NOTED,
    STAGE_RUNNING,
    STAGE_LEFT, /* what a run left behind is to be cleaned up */
    STAGE_REAPING
};

struct drilling {
    struct drills *drills;
    struct drilling *next;
    char name[65];
    enum stage stage;
    char id[DRILL_ID_SIZE]; /* of the run that is open, or "" */
    char *workspace;        /* of that */
    int64_t started_wall_ms, passed_wall_ms, due_wall_ms, again_ms;
    char result[16];
    uint64_t seq;
    char *job; /* until it is sent */
    bool plan, done;
    char by[32]; /* who cancels it */
    json_t *progress, *last, *planned;
    struct child child;
    bool has_child, closed;
    char lost[128]; /* why it is left */
};

struct drills {
    struct keeper *keeper;
    struct drilling *first;
};

/* ---- what is known ----------------------------------------------------------------------------------------------- */

static struct drilling *find(const struct drills *drills, const char *name)
{
    struct drilling *d = drills->first;
    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    return d;
}

static struct drilling *get(struct drills *drills, const char *name)
{
    struct drilling *d = find(drills, name);
    if (d)
        return d;
    d = heap_alloc(sizeof *d);
    d->drills = drills;
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
    struct drilling *d = event->drill ? get(keeper->drills, event->drill) : NULL;
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

json_t *drill_save(const struct keeper *keeper)
{
    json_t *list = json_array();
    for (const struct drilling *d = keeper->drills->first; d; d = d->next)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "drill", d->name, "id", d->id, "path",
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
        struct drilling *d = get(keeper->drills, name);
        open_run(d, id, json_string_value(json_object_get(one, "path")));
        take_standing(d, json_object_get(one, "figures"));
    }
}

static void emit(struct drilling *d, struct event *event)
{
    event->drill = d->name;
    event->wall_ms = clock_wall_ms();
    keeper_emit(d->drills->keeper, event);
    drill_fold(d->drills->keeper, event);
}

void drill_restate(struct keeper *keeper)
{
    for (struct drilling *d = keeper->drills->first; d; d = d->next) {
        json_t *figures = standing_of(d);
        char *text = json_dumps(figures, JSON_COMPACT);
        const struct event event = {
            .type = EVENT_DRILL_STANDING, .drill = d->name, .id = d->id, .path = d->workspace, .figures = text
        };
        keeper_emit(keeper, &event);
        free(text);
        json_decref(figures);
    }
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
    memset(d->job, 0, strlen(d->job)); /* it holds the key */
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

/* The job with the key in it; NULL with *why. */
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
    if (!copy.key || config_secret_read(keeper->config, &arena, "key", copy.key, &copy.key, why) == 0) {
        json_t *job = json_pack("{s:s, s:o, s:s, s:b}", "id", d->id, "drill", drill_encode(&copy), "record",
                                file_join(&arena, keeper->config->state_dir, arena_print(&arena, "drills/%s", d->name)),
                                "plan", d->plan);
        text = json_dumps(job, JSON_COMPACT);
        json_decref(job);
    }
    arena_close(&arena);
    return text;
}

/* 0, or a negative code with *why; the run's id is in d->id. */
static int start_run(struct drilling *d, const char *backup, bool plan, const char *by, struct why *why)
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
        get(keeper->drills, keeper->config->drills[i].name);
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
    if (start_run(d, NULL, false, "calendar", &why) == 0)
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

/* ---- commands ---------------------------------------------------------------------------------------------------- */

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
        json_array_append_new(list, view(find(keeper->drills, config->name), config));
    }
    return list;
}

static void cancel(struct drilling *d, const char *by)
{
    text_copy(d->by, sizeof d->by, by);
    wire_end(&d->child.link.out, wire_begin(&d->child.link.out, WIRE_STOP));
    link_changed(&d->child.link);
}

json_t *drill_command(struct keeper *keeper, const json_t *arguments, const char *by)
{
    const char *action = json_string_value(json_object_get(arguments, "action"));
    const char *name = json_string_value(json_object_get(arguments, "name"));
    const char *backup = json_string_value(json_object_get(arguments, "backup"));
    struct drilling *d = name && config_drill_find(keeper->config, name) ? find(keeper->drills, name) : NULL;
    struct why why = { "" };
    if (!action || strcmp(action, "list") == 0)
        return json_pack("{s:b, s:o}", "ok", 1, "drills", drill_view(keeper));
    bool plan = strcmp(action, "plan") == 0, stop = strcmp(action, "cancel") == 0;
    const char *code = "denied";
    if (!d) {
        code = "unknown-drill";
        why_say(&why, 0, "there is no drill '%s'; 'belfry drill list' shows them", name ? name : "");
    } else if (stop && d->stage == STAGE_RUNNING && d->has_child) {
        cancel(d, by);
        return json_pack("{s:b, s:s}", "ok", 1, "id", d->id);
    } else if (stop) {
        why_say(&why, 0, "drill '%s' is not running", name);
    } else if (!plan && strcmp(action, "run") != 0) {
        code = "bad-request";
        why_say(&why, 0, "a drill can be listed, planned, run and cancelled, not '%s'", action);
    } else if (start_run(d, backup, plan, by, &why) == 0) {
        return json_pack("{s:b, s:s}", "ok", 1, "id", d->id);
    }
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", code, "error", why.text);
}
