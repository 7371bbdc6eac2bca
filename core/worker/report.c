/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report - the functions by which a plugin says what it saw. Each one keeps to the bounds of core/model/result.h: too
 * much of something is cut and sets result.truncated; breaking a rule (an undeclared metric, a nameless part) makes the
 * whole result RESULT_MISUSE with the first such reason, because half a measurement must not look like a good one. */
#include "core/worker/run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

/* ---- looking items up by name -------------------------------------------------------------------------------- */

#define INDEX_MIN 128u /* most plugins have no more than 64 metrics: then no index has to grow */

/* The cell of the item (its number + 1), or the empty one where it belongs. */
static uint16_t *find_cell(const struct run_index *index, uint64_t hash, bool (*same)(const void *what, uint32_t item),
                           const void *what)
{
    for (uint64_t i = hash;; i++) {
        uint16_t *cell = &index->cells[i & (index->size - 1)];
        if (*cell == 0 || same(what, *cell - 1u))
            return cell;
    }
}

/* Makes the index at least twice as large as the items, which are entered again by their hashes. */
static void grow_index(struct run *run, struct run_index *index, uint32_t count,
                       uint64_t (*hash_of)(const struct run *run, uint32_t item))
{
    if (2 * (count + 1) <= index->size)
        return;
    index->size = index->size ? index->size * 2 : INDEX_MIN;
    index->cells = arena_array(run->arena, index->size, sizeof(*index->cells));
    for (uint32_t item = 0; item < count; item++) {
        uint64_t i = hash_of(run, item);
        while (index->cells[i & (index->size - 1)] != 0)
            i++;
        index->cells[i & (index->size - 1)] = (uint16_t)(item + 1);
    }
}

/* ---- verdict and text ---------------------------------------------------------------------------------------- */

static enum belfry_state check_state(struct run *run, int state)
{
    if (state >= BELFRY_OK && state <= BELFRY_UNKNOWN)
        return (enum belfry_state)state;
    run_misuse(run, "run() used state %d, wanted 0 to 3", state);
    return BELFRY_UNKNOWN;
}

void report_verdict(struct belfry_probe *p, int state, bool reached, const char *format, va_list args)
{
    struct run *run = run_of(p);
    run->result.text = run_vline(run, RESULT_TEXT_MAX, format, args); /* first: the format may hold %m */
    run->result.state = check_state(run, state);
    run->result.reached = reached;
    run->has_verdict = true;
}

void report_detail(struct belfry_probe *p, const char *format, va_list args)
{
    struct run *run = run_of(p);
    struct buf *detail = &run->detail;
    int saved_errno = errno;
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t left = RESULT_DETAIL_MAX - detail->length;
    if (wanted < 0 || (size_t)wanted + 1 > left)
        run->result.truncated = true;
    if (wanted < 0 || left < 2)
        return;
    size_t n = (size_t)wanted < left - 1 ? (size_t)wanted : left - 1;
    char *room = buf_room(detail, n + 2);
    if (room == NULL)
        return;
    errno = saved_errno;
    vsnprintf(room, n + 1, format, args);
    detail->length += n;
    buf_char(detail, '\n');
}

/* ---- parts --------------------------------------------------------------------------------------------------- */

struct part_key {
    const struct run *run;
    const char *name;
};

static bool same_part(const void *what, uint32_t item)
{
    const struct part_key *key = what;
    return strcmp(key->run->result.parts[item].name, key->name) == 0;
}

static uint64_t part_hash(const struct run *run, uint32_t item)
{
    return text_hash(run->result.parts[item].name);
}

/* The part of that name, which is made when there is none yet; NULL when there can't be one. */
static struct result_part *get_part(struct run *run, const char *given)
{
    if (given == NULL || given[0] == '\0') {
        run_misuse(run, "run() reported a part without a name");
        return NULL;
    }
    struct result *result = &run->result;
    grow_index(run, &run->parts, result->part_count, part_hash);
    /* a name is kept only when it is new: naming a part a million times must not cost memory */
    bool plain = strnlen(given, RESULT_PART_MAX + 1) <= RESULT_PART_MAX;
    struct part_key key = { run, plain ? given : run_line(run, RESULT_PART_MAX, given) };
    uint16_t *cell = find_cell(&run->parts, text_hash(key.name), same_part, &key);
    if (*cell != 0)
        return &result->parts[*cell - 1];
    if (result->part_count == RESULT_PARTS_MAX) {
        result->truncated = true;
        return NULL;
    }
    key.name = run_line(run, RESULT_PART_MAX, given);
    cell = find_cell(&run->parts, text_hash(key.name), same_part, &key);
    if (*cell != 0)
        return &result->parts[*cell - 1];
    result->parts = run_grow(run, result->parts, result->part_count, &run->part_size, sizeof(*result->parts));
    struct result_part *part = &result->parts[result->part_count++];
    *cell = (uint16_t)result->part_count;
    *part = (struct result_part){ .name = key.name, .state = BELFRY_OK, .text = "" };
    return part;
}

void report_part(struct belfry_probe *p, const char *name, int state, const char *format, va_list args)
{
    struct run *run = run_of(p);
    int saved_errno = errno;
    struct result_part *part = get_part(run, name);
    if (part == NULL)
        return;
    errno = saved_errno;
    part->text = run_vline(run, RESULT_TEXT_MAX, format, args);
    part->state = check_state(run, state);
}

/* ---- metrics ------------------------------------------------------------------------------------------------- */

struct metric_key {
    const struct run *run;
    const char *part, *name;
};

static bool same_metric(const void *what, uint32_t item)
{
    const struct metric_key *key = what;
    const struct result_metric *metric = &key->run->result.metrics[item];
    return metric->part == key->part && (metric->name == key->name || strcmp(metric->name, key->name) == 0);
}

static uint64_t hash_metric(const char *part, uint64_t name_hash)
{
    return part ? text_hash_more(name_hash, part, strlen(part)) : name_hash;
}

static uint64_t metric_hash(const struct run *run, uint32_t item)
{
    const struct result_metric *metric = &run->result.metrics[item];
    return hash_metric(metric->part, text_hash(metric->name));
}

/* Puts the metric into the result; measuring it again replaces the value. Part names are compared as pointers: they all
 * come from get_part(). */
static void put_metric(struct run *run, const struct result_metric *metric, uint64_t name_hash)
{
    struct result *result = &run->result;
    grow_index(run, &run->metrics, result->metric_count, metric_hash);
    struct metric_key key = { run, metric->part, metric->name };
    uint16_t *cell = find_cell(&run->metrics, hash_metric(metric->part, name_hash), same_metric, &key);
    if (*cell != 0) {
        result->metrics[*cell - 1] = *metric;
        return;
    }
    if (result->metric_count == RESULT_METRICS_MAX) {
        result->truncated = true;
        return;
    }
    result->metrics = run_grow(run, result->metrics, result->metric_count, &run->metric_size, sizeof(*result->metrics));
    result->metrics[result->metric_count++] = *metric;
    *cell = (uint16_t)result->metric_count;
}

/* The result's own name of the part: NULL for none given; false when the part can't be had. */
static bool part_name(struct run *run, const char *given, const char **out)
{
    *out = NULL;
    if (given == NULL)
        return true;
    struct result_part *part = get_part(run, given);
    if (part == NULL)
        return false;
    *out = part->name;
    return true;
}

/* An infinite value was not measured. */
static double check_value(double value)
{
    return isfinite(value) ? value : (double)NAN;
}

struct declared_key {
    const struct plugin_info *info;
    const char *name;
};

static bool same_declared(const void *what, uint32_t item)
{
    const struct declared_key *key = what;
    return strcmp(key->info->metrics[item].name, key->name) == 0;
}

void report_index_metrics(struct loaded_plugin *plugin)
{
    const struct plugin_info *info = &plugin->info;
    struct run_index *index = &plugin->metrics;
    for (index->size = 1; index->size <= 2 * info->metric_count; index->size *= 2)
        continue;
    index->cells = arena_array(&plugin->arena, index->size, sizeof(*index->cells));
    for (uint32_t i = 0; i < info->metric_count; i++) {
        struct declared_key key = { info, info->metrics[i].name };
        *find_cell(index, text_hash(key.name), same_declared, &key) = (uint16_t)(i + 1);
    }
}

static const struct plugin_metric *find_declared(const struct loaded_plugin *plugin, const char *name, uint64_t hash)
{
    if (plugin->metrics.size == 0)
        return plugin_metric_find(&plugin->info, name);
    struct declared_key key = { &plugin->info, name };
    uint16_t cell = *find_cell(&plugin->metrics, hash, same_declared, &key);
    return cell != 0 ? &plugin->info.metrics[cell - 1] : NULL;
}

void report_measure(struct belfry_probe *p, const char *part, const char *name, double value)
{
    struct run *run = run_of(p);
    uint64_t hash = name ? text_hash(name) : 0;
    const struct plugin_metric *declared = name ? find_declared(run->plugin, name, hash) : NULL;
    if (declared == NULL) {
        run_misuse(run, "run() measured '%.64s', which is not in the plugin's table of metrics",
                   name ? name : "(null)");
        return;
    }
    struct result_metric metric = { .name = declared->name,
                                    .unit = declared->unit,
                                    .value = check_value(value),
                                    .kind = declared->kind,
                                    .warn = declared->warn,
                                    .crit = declared->crit,
                                    .min = declared->min,
                                    .max = declared->max };
    if (part_name(run, part, &metric.part))
        put_metric(run, &metric, hash);
}

static const char *optional_line(struct run *run, const char *text)
{
    return text ? run_line(run, RESULT_RANGE_MAX, text) : NULL;
}

/* The size of ABI 1's first sample; what an older plugin does not know is zero. */
#define SAMPLE_MIN (offsetof(struct belfry_sample, max) + sizeof(char *))

static bool is_sample_name(const char *name)
{
    if (name == NULL || name[0] == '\0')
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '=' || (unsigned char)*c < 0x20 || *c == 0x7F)
            return false;
    }
    return true;
}

void report_sample(struct belfry_probe *p, const struct belfry_sample *given)
{
    struct run *run = run_of(p);
    if (given == NULL || given->size < SAMPLE_MIN) {
        run_misuse(run, "run() gave a sample of %u bytes, wanted %zu", given ? given->size : 0,
                   sizeof(struct belfry_sample));
        return;
    }
    struct belfry_sample known = { 0 }, *sample = &known;
    memcpy(&known, given, given->size < sizeof(known) ? given->size : sizeof(known));
    if (!is_sample_name(sample->name) || (sample->kind != BELFRY_GAUGE && sample->kind != BELFRY_COUNTER)) {
        run_misuse(run, "run() gave a sample with a bad name or kind %d", sample->kind);
        return;
    }
    if (run->result.metric_count == RESULT_METRICS_MAX) {
        run->result.truncated = true;
        return;
    }
    struct result_metric metric = { .name = run_line(run, RESULT_NAME_MAX, sample->name),
                                    .unit = sample->unit ? run_line(run, RESULT_NAME_MAX, sample->unit) : "",
                                    .value = check_value(sample->value),
                                    .kind = sample->kind,
                                    .warn = optional_line(run, sample->warn),
                                    .crit = optional_line(run, sample->crit),
                                    .min = optional_line(run, sample->min),
                                    .max = optional_line(run, sample->max),
                                    .unjudged = sample->unjudged };
    if (part_name(run, sample->part, &metric.part))
        put_metric(run, &metric, text_hash(metric.name));
}

/* ---- events -------------------------------------------------------------------------------------------------- */

/* Behind the word [a-z][a-z0-9_]*, or NULL when there is none. */
static const char *skip_word(const char *c)
{
    if (*c < 'a' || *c > 'z')
        return NULL;
    while ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_')
        c++;
    return c;
}

/* noun.verb */
static bool is_event_type(const char *type)
{
    const char *c = type ? skip_word(type) : NULL;
    if (c == NULL || *c != '.')
        return false;
    c = skip_word(c + 1);
    return c != NULL && *c == '\0' && c - type <= (ptrdiff_t)RESULT_NAME_MAX;
}

void report_event(struct belfry_probe *p, const char *type, const char *part, const char *format, va_list args)
{
    struct run *run = run_of(p);
    struct result *result = &run->result;
    if (!is_event_type(type)) {
        run_misuse(run, "run() made an event of type '%.64s', wanted noun.verb", type ? type : "(null)");
        return;
    }
    if (result->event_count == RESULT_EVENTS_MAX) {
        result->truncated = true;
        return;
    }
    const char *text = run_vline(run, RESULT_TEXT_MAX, format, args);
    result->events = run_grow(run, result->events, result->event_count, &run->event_size, sizeof(*result->events));
    result->events[result->event_count++] =
        (struct result_event){ .type = run_line(run, RESULT_NAME_MAX, type),
                               .part = part ? run_line(run, RESULT_PART_MAX, part) : NULL,
                               .text = text };
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c >= 0x7F)
            return false;
    }
    return true;
}

static const char *finish_detail(struct run *run)
{
    struct buf *detail = &run->detail;
    if (detail->length == 0)
        return NULL;
    detail->data[detail->length - 1] = '\0'; /* the last line break */
    if (is_plain(detail->data))
        return arena_text_n(run->arena, detail->data, detail->length - 1);
    char *visible = arena_alloc(run->arena, RESULT_DETAIL_MAX + 1);
    return text_visible(visible, RESULT_DETAIL_MAX + 1, detail->data, true);
}

/* A result that the plugin did not finish. */
static void set_end(struct run *run, int64_t now_ns)
{
    struct result *result = &run->result;
    const char *misuse = run->misuse;
    if (misuse == NULL && !run->has_verdict && now_ns < run->deadline_ns)
        misuse = "run() ended without a verdict";
    if (misuse == NULL && run->has_verdict)
        return;
    result->end = misuse ? RESULT_MISUSE : RESULT_TIMEOUT;
    result->state = misuse ? BELFRY_UNKNOWN : BELFRY_CRITICAL;
    result->reached = misuse != NULL;
    result->text = misuse ? misuse : "";
}

void report_finish(struct run *run)
{
    int64_t now_ns = clock_now_ns(), used_us = (now_ns - run->start_ns) / 1000;
    run->result.duration_us = used_us < 0 ? 0 : used_us > UINT32_MAX ? UINT32_MAX : (uint32_t)used_us;
    run->result.detail = finish_detail(run);
    set_end(run, now_ns);
}
