/* SPDX-License-Identifier: GPL-3.0-or-later */
/* view - see view.h. The last result is decoded and judged again for each answer: what is shown follows the thresholds
 * in force. */
#include "core/keeper/view.h"

#include <config.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/keeper/pool.h"
#include "core/keeper/trouble.h"

static json_t *text_or_null(const char *text)
{
    json_t *json = text && *text ? json_string(text) : NULL;
    return json ? json : json_null();
}

static json_t *range_or_null(const struct range *range)
{
    char text[RANGE_TEXT_SIZE];
    return range->set ? json_string(range_format(text, range)) : json_null();
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A monotonic time as wall time; 0 for never. */
static json_t *wall_of(int64_t mono_ms)
{
    struct instant now = clock_instant();
    return json_integer(mono_ms == INT64_MAX || mono_ms == 0 ? 0 : now.wall_ms + (mono_ms - now.mono_ms));
}

static json_t *comparison_or_null(const struct limit *limit)
{
    char text[LIMIT_TEXT_SIZE];
    return limit ? json_string(limit_format(text, limit)) : json_null();
}

/* Of a metric that a threshold compares with its baseline; else null. */
static json_t *baseline_or_null(const struct judged_metric *judged)
{
    static const struct baseline none = { .samples = 0 };
    const struct baseline *baseline = judged->baseline ? judged->baseline : &none;
    char words[BASELINE_WORDS_SIZE];
    if (!judged->warn_by && !judged->crit_by)
        return json_null();
    baseline_words(words, judged->baseline, judged->metric->unit);
    json_t *json = json_pack("{s:b, s:I, s:I, s:b, s:s}", "enough", baseline_tells(baseline), "samples",
                             (json_int_t)baseline->samples, "days", (json_int_t)baseline->days, "rare", baseline->rare,
                             "text", words);
    for (unsigned i = 0; i < FIGURES; i++)
        json_object_set_new(json, figure_name((enum figure)i),
                            baseline->samples ? number_or_null(baseline->figures[i]) : json_null());
    return json;
}

static json_t *metrics(const struct verdict *verdict)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < verdict->metric_count; i++) {
        const struct judged_metric *judged = &verdict->metrics[i];
        const struct result_metric *metric = judged->metric;
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "part",
                            text_or_null(metric->part), "name", metric->name, "unit", metric->unit ? metric->unit : "",
                            "value", number_or_null(metric->value), "state", state_name(judged->state), "warn",
                            range_or_null(&judged->warn), "crit", range_or_null(&judged->crit), "min",
                            text_or_null(metric->min), "max", text_or_null(metric->max), "warn_by",
                            comparison_or_null(judged->warn_by), "crit_by", comparison_or_null(judged->crit_by),
                            "baseline", baseline_or_null(judged)));
    }
    return list;
}

static json_t *parts(const struct check_view *view)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < view->part_count; i++) {
        const struct part_view *part = &view->parts[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:I}", "name", part->name, "state",
                                              state_name(part->standing.state), "hard", part->standing.hard, "text",
                                              part->text ? part->text : "", "since",
                                              (json_int_t)part->standing.since_wall_ms));
    }
    return list;
}

static const char *hold_name(enum breaker_hold hold)
{
    return hold == BREAKER_HELD_OPEN ? "open" : hold == BREAKER_HELD_CLOSED ? "closed" : "auto";
}

static json_t *breaker_json(const char *name, const struct breaker *breaker)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "name", name, "state", breaker_state_name(breaker->state),
                     "hold", hold_name(breaker->hold), "failures", (json_int_t)breaker->failures, "pause_ms",
                     (json_int_t)breaker->pause_ms, "until",
                     breaker->state == BREAKER_OPEN ? wall_of(breaker->until_ms) : json_integer(0));
}

static void add_standing(json_t *check, const struct check_view *view)
{
    const struct standing *standing = &view->standing;
    json_t *more = json_pack("{s:s, s:b, s:s, s:I, s:I, s:b, s:I, s:b, s:f}", "state",
                             state_name(standing->known ? standing->state : BELFRY_UNKNOWN), "hard", standing->hard,
                             "hard_state", state_name(standing->hard_state), "attempt", (json_int_t)standing->attempt,
                             "attempts", (json_int_t)view->config->attempts, "known", standing->known, "since",
                             (json_int_t)standing->since_wall_ms, "flapping", view->flapping.flapping,
                             "flapping_percent", flapping_percent(&view->flapping));
    json_object_update(check, more);
    json_decref(more);
}

static void add_runs(json_t *check, const struct check_view *view)
{
    json_t *more =
        json_pack("{s:I, s:I, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:b}", "last_run", (json_int_t)view->last_run_wall_ms,
                  "last_ok", (json_int_t)view->last_ok_wall_ms, "next_run", wall_of(view->due_ms), "running",
                  view->run != 0, "every_ms", (json_int_t)view->config->every_ms, "timeout_ms",
                  (json_int_t)view->config->timeout_ms, "runs", (json_int_t)view->runs, "missed",
                  (json_int_t)view->missed, "skipped", (json_int_t)view->skipped, "enabled", view->config->enabled);
    json_object_update(check, more);
    json_decref(more);
}

static void add_last(struct keeper *keeper, json_t *check, const struct check_view *view, uint32_t slot)
{
    struct arena arena = { 0 };
    struct result result;
    struct verdict verdict;
    json_t *list = NULL;
    const char *detail = NULL;
    double duration_ms = 0;
    if (slot < keeper->watched_count && dispatch_last(keeper, keeper->watched[slot], &arena, &result)) {
        const struct baselines baselines = { keeper->watched[slot], view->last_run_wall_ms };
        const struct judging by = baseline_judging(view->config, &baselines);
        verdict_judge_by(&arena, &result, &by, &verdict);
        list = metrics(&verdict);
        detail = result.detail;
        duration_ms = (double)result.duration_us / 1000;
    }
    json_object_set_new(check, "metrics", list ? list : json_array());
    json_object_set_new(check, "detail", text_or_null(detail));
    json_object_set_new(check, "duration_ms", json_real(duration_ms));
    arena_close(&arena);
}

json_t *view_check(struct keeper *keeper, uint32_t slot)
{
    const struct check_view *view = schedule_view(keeper->schedule, slot);
    const struct check_config *config = view->config;
    json_t *check = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", config->id, "service", config->service, "title",
                              config->title ? config->title : config->id, "plugin", config->plugin, "severity",
                              config->severity, "text", view->text ? view->text : "");
    if (!check)
        return json_object();
    add_standing(check, view);
    add_runs(check, view);
    if (view->breaker)
        json_object_set_new(check, "breaker", breaker_json(view->breaker_name, view->breaker));
    json_object_set_new(check, "parts", parts(view));
    add_last(keeper, check, view, slot);
    return check;
}

static json_t *checks_of(struct keeper *keeper, const struct service_config *service, const char *only)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < service->check_count; i++) {
        const struct check_config *config = &keeper->config->checks[service->first_check + i];
        uint32_t slot = schedule_find(keeper->schedule, config->id);
        if (slot != SCHEDULE_NONE && (!only || strcmp(only, config->id) == 0))
            json_array_append_new(list, view_check(keeper, slot));
    }
    return list;
}

static json_t *service_json(struct keeper *keeper, const struct service_config *service, const char *only)
{
    json_t *depends = json_array();
    for (const char *const *name = service->depends; name && *name; name++)
        json_array_append_new(depends, json_string(*name));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", service->name, "title",
                     service->title ? service->title : service->name, "severity", service->severity, "state",
                     state_name(schedule_service_state(keeper->schedule, service->name)), "depends", depends, "checks",
                     checks_of(keeper, service, only));
}

json_t *view_services(struct keeper *keeper, const char *subject)
{
    const struct config *config = keeper->config;
    size_t length = subject ? strcspn(subject, "/") : 0;
    bool check = subject && subject[length] == '/';
    if (check && !config_check_find(config, subject))
        return NULL;
    json_t *list = json_array();
    for (uint32_t i = 0; i < config->service_count; i++) {
        const struct service_config *service = &config->services[i];
        if (!subject || (strncmp(service->name, subject, length) == 0 && service->name[length] == '\0'))
            json_array_append_new(list, service_json(keeper, service, check ? subject : NULL));
    }
    if (subject && json_array_size(list) == 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* How the family itself is. */
static void add_health(struct keeper *keeper, json_t *daemon)
{
    uint32_t unkillable = 0;
    const struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        unkillable += pool_unkillable_count(pool);
    json_t *more = json_pack("{s:s, s:I, s:I, s:o, s:I}", "recorder", record_state_name(keeper), "unkillable_workers",
                             (json_int_t)unkillable, "log_dropped", (json_int_t)log_dropped(), "panic",
                             text_or_null(keeper->panic), "panicked", (json_int_t)keeper->panic_wall_ms);
    json_object_update(daemon, more);
    json_decref(more);
}

json_t *view_daemon(struct keeper *keeper)
{
    uint64_t missed = 0;
    for (uint32_t i = 0; i < schedule_slot_count(keeper->schedule); i++) {
        const struct check_view *view = schedule_view(keeper->schedule, i);
        missed += view && view->config ? view->missed : 0;
    }
    json_t *daemon = json_pack(
        "{s:s, s:I, s:I, s:I, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "version", PACKAGE_VERSION,
        "pid", (json_int_t)getpid(), "started", (json_int_t)keeper->started_wall_ms, "now", (json_int_t)clock_wall_ms(),
        "config", keeper->config_file, "config_loaded", (json_int_t)keeper->loaded_wall_ms, "config_error",
        text_or_null(keeper->config_error), "checks", (json_int_t)keeper->config->check_count, "runs",
        (json_int_t)keeper->runs, "missed", (json_int_t)missed, "lag_ms", (json_int_t)keeper->lag_ms, "journal_seq",
        (json_int_t)journal_last(keeper->journal), "recorder_sandbox", record_sandbox(keeper), "journal",
        trouble_view(keeper), "samples", record_view(keeper));
    add_health(keeper, daemon);
    json_object_set_new(daemon, "drills", drill_view(keeper));
    json_object_set_new(daemon, "runbooks", recovery_view(keeper));
    return daemon;
}

json_t *view_plugins(struct keeper *keeper)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < keeper->catalog->plugin_count; i++) {
        const struct plugin_info *info = keeper->catalog->plugins[i];
        const struct pool *pool = map_get(&keeper->pools, info->name);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "name",
                                              info->name, "version", info->version, "summary", info->summary, "path",
                                              info->path, "state", pool ? pool_state_name(pool) : "idle", "workers",
                                              (json_int_t)(pool ? pool_worker_count(pool) : 0), "in_flight",
                                              (json_int_t)(pool ? pool_flight_count(pool) : 0), "queued",
                                              (json_int_t)(pool ? pool->queue.count + pool->quarantined.count : 0),
                                              "crashes", (json_int_t)(pool ? pool->crashes : 0), "unkillable",
                                              (json_int_t)(pool ? pool_unkillable_count(pool) : 0), "text",
                                              pool ? pool->why : "", "sandbox", pool ? pool->sandbox : ""));
    }
    struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        if (!pool->info)
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s}", "name",
                                            pool->name, "version", "", "summary", "", "path", "", "state", "missing",
                                            "workers", 0, "in_flight", 0, "queued", 0, "crashes", (int)pool->crashes,
                                            "text", "its file is not in the plugin folders any more", "sandbox", ""));
    return list;
}

json_t *view_rejections(struct keeper *keeper)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < keeper->catalog->rejection_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "path", keeper->catalog->rejections[i].path, "text",
                                              keeper->catalog->rejections[i].why));
    return list;
}

json_t *view_breakers(struct keeper *keeper, const char *name)
{
    json_t *list = json_array();
    const char *breaker_name;
    const struct breaker *breaker;
    for (uint32_t i = 0; (breaker = schedule_breaker(keeper->schedule, i, &breaker_name)) != NULL; i++) {
        if (name && strcmp(name, breaker_name) != 0)
            continue;
        json_t *checks = json_array();
        for (uint32_t slot = 0; slot < schedule_slot_count(keeper->schedule); slot++) {
            const struct check_view *view = schedule_view(keeper->schedule, slot);
            if (view && view->config && view->breaker == breaker)
                json_array_append_new(checks, json_string(view->config->id));
        }
        json_t *one = breaker_json(breaker_name, breaker);
        json_object_set_new(one, "checks", checks);
        json_array_append_new(list, one);
    }
    return list;
}

enum belfry_state view_nagios(struct keeper *keeper, uint32_t slot, struct buf *out)
{
    const struct check_view *view = schedule_view(keeper->schedule, slot);
    struct arena arena = { 0 };
    struct result result = { .state = BELFRY_UNKNOWN, .reached = true, .text = "no result yet" };
    struct verdict verdict;
    const struct watched *watched = slot < keeper->watched_count ? keeper->watched[slot] : NULL;
    const struct baselines baselines = { watched, view->last_run_wall_ms };
    const struct judging by = baseline_judging(view->config, &baselines);
    if (watched)
        dispatch_last(keeper, watched, &arena, &result);
    verdict_judge_by(&arena, &result, &by, &verdict);
    verdict_nagios(out, view->config->id, &verdict, &result);
    enum belfry_state state = verdict.state;
    arena_close(&arena);
    return state;
}
