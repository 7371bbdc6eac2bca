/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_show - the model as text: in libconfig's syntax, so that it can be read again and gives the same model, and as
 * JSON with the same members.
 *
 * Both are written by one walk over the model; `struct writer` knows the two syntaxes. Everything that can't be a
 * libconfig name (web@web1, metrics of other plugins) is a list of groups with a name. Secrets show as the reference
 * that stands in the file ("@name"), never more: that is all the model holds of them. */
#include "core/config/config.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

struct writer {
    struct buf *out;
    bool json;
    bool later; /* something stands before in the same group or list */
    unsigned depth;
};

/* ---- syntax -------------------------------------------------------------------------------------------------- */

static void indent(struct writer *w)
{
    if (w->json)
        buf_text(w->out, w->later ? "," : "");
    else if (w->depth > 0 || w->later)
        buf_print(w->out, "\n%*s", (int)(4 * w->depth), "");
    w->later = true;
}

/* A text in quotes; `expanded` ones may hold a $, which is written $$ to stay one. */
static void quote(struct writer *w, const char *text, bool expanded)
{
    if (w->json) {
        buf_json_text(w->out, text);
        return;
    }
    buf_char(w->out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_print(w->out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            buf_print(w->out, "\\x%02x", (unsigned)*text);
        else
            buf_text(w->out, *text == '$' && expanded ? "$$" : (char[]){ *text, '\0' });
    }
    buf_char(w->out, '"');
}

static void name(struct writer *w, const char *text)
{
    indent(w);
    if (w->json)
        buf_print(w->out, "\"%s\":", text);
    else
        buf_print(w->out, "%s = ", text);
}

static void end(struct writer *w)
{
    if (!w->json)
        buf_char(w->out, ';');
}

static void open(struct writer *w, const char *bracket)
{
    buf_text(w->out, bracket);
    w->depth++;
    w->later = false;
}

static void close(struct writer *w, const char *bracket)
{
    w->depth--;
    if (!w->json && w->later)
        buf_print(w->out, "\n%*s", (int)(4 * w->depth), "");
    buf_text(w->out, bracket);
    w->later = true;
}

static void open_group(struct writer *w, const char *title)
{
    name(w, title);
    open(w, "{");
}

static void close_group(struct writer *w)
{
    close(w, "}");
    end(w);
}

static void open_list(struct writer *w, const char *title)
{
    name(w, title);
    open(w, w->json ? "[" : "(");
}

static void close_list(struct writer *w)
{
    close(w, w->json ? "]" : ")");
    end(w);
}

/* A group in a list. */
static void open_item(struct writer *w)
{
    bool later = w->later;
    if (!w->json && later)
        buf_char(w->out, ',');
    indent(w);
    open(w, "{");
}

static void close_item(struct writer *w)
{
    close(w, "}");
}

static void put_text(struct writer *w, const char *title, const char *text)
{
    name(w, title);
    quote(w, text, false);
    end(w);
}

static void put_expanded(struct writer *w, const char *title, const char *text)
{
    name(w, title);
    quote(w, text, true);
    end(w);
}

static void put_number(struct writer *w, const char *title, double value)
{
    char number[TEXT_NUMBER_SIZE];
    name(w, title);
    buf_text(w->out, text_format_number(number, value));
    end(w);
}

static void put_flag(struct writer *w, const char *title, bool value)
{
    name(w, title);
    buf_text(w->out, value ? "true" : "false");
    end(w);
}

static void put_duration(struct writer *w, const char *title, int64_t ms)
{
    char text[TEXT_DURATION_SIZE];
    put_text(w, title, text_format_duration(text, ms));
}

static void put_texts(struct writer *w, const char *title, const char *const *texts, uint32_t count, bool expanded)
{
    name(w, title);
    buf_char(w->out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_text(w->out, i ? ", " : w->json ? "" : " ");
        quote(w, texts[i], expanded);
    }
    buf_text(w->out, w->json ? "]" : " ]");
    end(w);
}

static uint32_t count_texts(const char *const *texts)
{
    uint32_t count = 0;
    while (texts[count])
        count++;
    return count;
}

/* ---- the model ----------------------------------------------------------------------------------------------- */

static void show_anchor(struct writer *w, const struct anchor_config *anchor)
{
    open_group(w, "anchor");
    put_duration(w, "every", anchor->every_ms);
    put_flag(w, "syslog", anchor->syslog);
    if (anchor->file)
        put_text(w, "file", anchor->file);
    if (anchor->webhook) {
        put_text(w, "webhook", anchor->webhook);
        put_text(w, "format", anchor->format);
    }
    close_group(w);
}

static void show_sync(struct writer *w, uint32_t every_ms)
{
    if (every_ms == 0) {
        put_text(w, "sync", "always");
        return;
    }
    open_group(w, "sync");
    put_duration(w, "interval", every_ms);
    close_group(w);
}

static void show_paths(struct writer *w, const struct config *config)
{
    char segment[32];
    put_text(w, "state_dir", config->state_dir);
    put_text(w, "run_dir", config->run_dir);
    put_text(w, "secrets_dir", config->secrets_dir);
    if (w->json)
        put_text(w, "conf_dir", config->conf_dir);
    put_texts(w, "plugin_dirs", config->plugin_dirs, count_texts(config->plugin_dirs), false);
    open_group(w, "journal");
    snprintf(segment, sizeof(segment), "%u", config->journal_segment_bytes);
    put_text(w, "segment", segment);
    show_sync(w, config->journal_sync_ms);
    snprintf(segment, sizeof(segment), "%u", config->journal_reserve_bytes);
    put_text(w, "reserve", segment);
    if (config->journal_keep_ms)
        put_duration(w, "keep", config->journal_keep_ms);
    if (config->journal_keep_bytes) {
        snprintf(segment, sizeof(segment), "%llu", (unsigned long long)config->journal_keep_bytes);
        put_text(w, "keep_size", segment);
    }
    put_duration(w, "seal_every", config->journal_seal_every_ms);
    if (config->journal_anchor.every_ms)
        show_anchor(w, &config->journal_anchor);
    close_group(w);
}

static void show_archives(struct writer *w, const struct series_archive *archives, uint32_t count)
{
    open_list(w, "archives");
    for (uint32_t i = 0; i < count; i++) {
        const struct series_archive *archive = &archives[i];
        open_item(w);
        if (archive->point_s <= 1)
            put_text(w, "point", "step");
        else
            put_duration(w, "point", archive->point_s * 1000LL);
        put_duration(w, "keep", archive->length_s * 1000LL);
        close_item(w);
    }
    close_list(w);
}

static void show_series(struct writer *w, const struct config *config)
{
    char address[128];
    open_group(w, "series");
    show_archives(w, config->archives, config->archive_count);
    put_duration(w, "keep_parts", config->keep_parts_ms);
    snprintf(address, sizeof(address), "unix:%s", config->rrdcached ? config->rrdcached : "");
    if (config->rrdcached)
        put_text(w, "rrdcached", address);
    close_group(w);
}

static void show_check_series(struct writer *w, const struct check_config *check)
{
    if (check->archives)
        show_archives(w, check->archives, check->archive_count);
    if (check->renamed_count == 0)
        return;
    open_list(w, "renamed");
    for (uint32_t i = 0; i < check->renamed_count; i++) {
        open_item(w);
        put_text(w, "from", check->renamed[i].from);
        put_text(w, "to", check->renamed[i].to);
        close_item(w);
    }
    close_list(w);
}

static void show_allow(struct writer *w, uint32_t allow)
{
    const char *names[8];
    uint32_t count = 0;
    for (size_t i = 0; plugin_need_names[i]; i++)
        if (allow & (1u << i))
            names[count++] = plugin_need_names[i];
    put_texts(w, "allow", names, count, false);
}

static void show_plugins(struct writer *w, const struct config *config)
{
    open_list(w, "plugins");
    for (uint32_t i = 0; i < config->plugin_count; i++) {
        open_item(w);
        put_text(w, "name", config->plugins[i].name);
        put_number(w, "workers", config->plugins[i].workers);
        put_number(w, "concurrency", config->plugins[i].concurrency);
        if (config->plugins[i].allow_given)
            show_allow(w, config->plugins[i].allow);
        close_item(w);
    }
    close_list(w);
}

static void show_breaker_numbers(struct writer *w, const struct breaker_config *breaker)
{
    put_number(w, "failures", breaker->failures);
    put_duration(w, "open", breaker->open_ms);
    put_duration(w, "open_max", breaker->open_max_ms);
}

/* The shared ones, each once. */
static void show_breakers(struct writer *w, const struct config *config)
{
    struct map shown = { 0 };
    open_list(w, "breakers");
    for (uint32_t i = 0; i < config->check_count; i++) {
        const struct check_config *check = &config->checks[i];
        if (!check->breaker_shared || map_get(&shown, check->breaker.name))
            continue;
        map_put(&shown, check->breaker.name, w);
        open_item(w);
        put_text(w, "name", check->breaker.name);
        show_breaker_numbers(w, &check->breaker);
        close_item(w);
    }
    close_list(w);
    map_close(&shown);
}

static void show_breaker(struct writer *w, const struct check_config *check)
{
    if (check->breaker_shared) {
        put_text(w, "breaker", check->breaker.name);
        return;
    }
    open_group(w, "breaker");
    show_breaker_numbers(w, &check->breaker);
    close_group(w);
}

static void show_retry(struct writer *w, const struct retry *retry)
{
    char pauses[RETRY_BACKOFF_MAX][TEXT_DURATION_SIZE];
    const char *texts[RETRY_BACKOFF_MAX];
    for (uint32_t i = 0; i < retry->backoff_count; i++)
        texts[i] = text_format_duration(pauses[i], retry->backoff_ms[i]);
    open_group(w, "retry");
    put_number(w, "attempts", retry->attempts);
    put_texts(w, "backoff", texts, retry->backoff_count, false);
    close_group(w);
}

static void show_flapping(struct writer *w, const struct flapping_config *flapping)
{
    open_group(w, "flapping");
    put_flag(w, "enabled", flapping->enabled);
    put_number(w, "low", flapping->low);
    put_number(w, "high", flapping->high);
    close_group(w);
}

static void show_limit(struct writer *w, const char *title, bool given, const struct limit *limit)
{
    char text[LIMIT_TEXT_SIZE];
    if (given)
        put_text(w, title, limit_format(text, limit));
}

static void show_thresholds(struct writer *w, const struct check_config *check)
{
    if (check->threshold_count == 0 && !w->json)
        return;
    open_list(w, "thresholds");
    for (uint32_t i = 0; i < check->threshold_count; i++) {
        const struct threshold *threshold = &check->thresholds[i];
        open_item(w);
        put_text(w, "metric", threshold->metric);
        if (threshold->part)
            put_text(w, "part", threshold->part);
        show_limit(w, "warn", threshold->warn_given, &threshold->warn);
        show_limit(w, "crit", threshold->crit_given, &threshold->crit);
        close_item(w);
    }
    close_list(w);
}

static void show_option(struct writer *w, const struct task_option *option, const struct plugin_option *declared)
{
    if (declared && declared->map) {
        open_group(w, option->name);
        for (uint32_t i = 0; i < option->count; i++)
            put_expanded(w, option->keys[i], option->values[i]);
        close_group(w);
    } else if (declared && declared->list) {
        put_texts(w, option->name, option->values, option->count, true);
    } else {
        put_expanded(w, option->name, option->count ? option->values[0] : "");
    }
}

static void show_options(struct writer *w, const struct check_config *check, const struct plugin_info *info)
{
    if (w->json)
        open_group(w, "options");
    for (uint32_t i = 0; i < check->task.option_count; i++)
        show_option(w, &check->task.options[i], info ? plugin_option_find(info, check->task.options[i].name) : NULL);
    if (w->json)
        close_group(w);
}

static void show_check(struct writer *w, const struct check_config *check, const struct catalog *catalog)
{
    open_item(w);
    put_text(w, "name", strchr(check->id, '/') + 1);
    put_text(w, "plugin", check->plugin);
    put_expanded(w, "title", check->title);
    put_flag(w, "enabled", check->enabled);
    put_duration(w, "every", check->every_ms);
    put_duration(w, "timeout", check->timeout_ms);
    put_number(w, "attempts", check->attempts);
    put_duration(w, "retry_every", check->retry_every_ms);
    show_retry(w, &check->retry);
    show_breaker(w, check);
    show_flapping(w, &check->flapping);
    show_check_series(w, check);
    put_text(w, "severity", check->severity);
    show_thresholds(w, check);
    show_options(w, check, catalog_find(catalog, check->plugin));
    close_item(w);
}

static void show_service(struct writer *w, const struct config *config, const struct service_config *service,
                         const struct catalog *catalog)
{
    open_item(w);
    put_text(w, "name", service->name);
    put_text(w, "title", service->title);
    put_text(w, "severity", service->severity);
    put_texts(w, "depends", service->depends, count_texts(service->depends), false);
    open_list(w, "checks");
    for (uint32_t i = 0; i < service->check_count; i++)
        show_check(w, &config->checks[service->first_check + i], catalog);
    close_list(w);
    close_item(w);
}

/* Sizes and numbers as plain digits, in quotes: they can be read again. */
static void show_field(struct writer *w, const struct drill_field *field, const void *of)
{
    char number[32];
    const char *at = (const char *)of + field->offset;
    if (field->kind == DRILL_FLAG) {
        put_flag(w, field->name, *(const bool *)(const void *)at);
    } else if (field->kind == DRILL_DURATION) {
        if (*(const int64_t *)(const void *)at)
            put_duration(w, field->name, *(const int64_t *)(const void *)at);
    } else if (field->kind == DRILL_SIZE || field->kind == DRILL_NUMBER) {
        snprintf(number, sizeof(number), "%lld", (long long)*(const int64_t *)(const void *)at);
        put_text(w, field->name, number);
    } else if (*(const char *const *)(const void *)at) {
        put_text(w, field->name, *(const char *const *)(const void *)at);
    }
}

static void show_drill(struct writer *w, const struct drill_config *drill)
{
    open_item(w);
    put_text(w, "name", drill->name);
    for (const struct drill_field *field = drill_fields; field->name; field++)
        show_field(w, field, drill);
    open_list(w, "assertions");
    for (uint32_t i = 0; i < drill->assertion_count; i++) {
        open_item(w);
        for (const struct drill_field *field = drill_assertion_fields; field->name; field++)
            if (field->kind != DRILL_NUMBER || drill->assertions[i].table)
                show_field(w, field, &drill->assertions[i]);
        close_item(w);
    }
    close_list(w);
    close_item(w);
}

static void show_drills(struct writer *w, const struct config *config)
{
    if (config->drill_count == 0)
        return;
    open_list(w, "drills");
    for (uint32_t i = 0; i < config->drill_count; i++)
        show_drill(w, &config->drills[i]);
    close_list(w);
}

static void show_fields(struct writer *w, const struct drill_field *fields, const void *of)
{
    for (; fields->name; fields++)
        show_field(w, fields, of);
}

static void show_runbook(struct writer *w, const struct runbook *runbook)
{
    open_item(w);
    put_text(w, "name", runbook->name);
    show_fields(w, runbook_fields, runbook);
    open_list(w, "steps");
    for (uint32_t i = 0; i < runbook->step_count; i++) {
        open_item(w);
        show_fields(w, runbook_step_fields, &runbook->steps[i]);
        close_item(w);
    }
    close_list(w);
    close_item(w);
}

static void show_runbooks(struct writer *w, const struct config *config)
{
    if (config->tier_count > 0)
        open_list(w, "tiers");
    for (uint32_t i = 0; i < config->tier_count; i++) {
        open_item(w);
        put_text(w, "name", config->tiers[i].name);
        show_fields(w, tier_fields, &config->tiers[i]);
        close_item(w);
    }
    if (config->tier_count > 0)
        close_list(w);
    if (config->runbook_count > 0)
        open_list(w, "runbooks");
    for (uint32_t i = 0; i < config->runbook_count; i++)
        show_runbook(w, &config->runbooks[i]);
    if (config->runbook_count > 0)
        close_list(w);
}

/* Those of drills and runbooks come with them. */
static bool is_brought(const struct config *config, const char *service)
{
    return (config->drill_count > 0 && strcmp(service, "drills") == 0) ||
           (config->runbook_count > 0 && strcmp(service, "recovery") == 0);
}

static void show(struct writer *w, const struct config *config, const struct catalog *catalog)
{
    show_paths(w, config);
    show_series(w, config);
    show_plugins(w, config);
    show_breakers(w, config);
    show_drills(w, config);
    show_runbooks(w, config);
    open_list(w, "services");
    for (uint32_t i = 0; i < config->service_count; i++)
        if (w->json || !is_brought(config, config->services[i].name))
            show_service(w, config, &config->services[i], catalog);
    close_list(w);
}

void config_show(const struct config *config, const struct catalog *catalog, struct buf *out)
{
    struct writer w = { .out = out };
    show(&w, config, catalog);
    buf_char(out, '\n');
}

void config_show_json(const struct config *config, const struct catalog *catalog, struct buf *out)
{
    struct writer w = { .out = out, .json = true };
    open(&w, "{");
    show(&w, config, catalog);
    close(&w, "}");
    buf_char(out, '\n');
}
