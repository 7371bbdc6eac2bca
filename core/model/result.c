/* SPDX-License-Identifier: GPL-3.0-or-later */
/* result - on the wire:
 *
 *     end u8, state u8, flags u8 (1 reached, 2 truncated, 4 kept changed), duration_us u32, text, detail,
 *     metrics (count u32; part, name, unit, value f64, kind u8, unjudged u8, warn, crit, min, max),
 *     parts (count u32; name, state u8, text), events (count u32; type, part, text), kept (count u32; key, value)
 *
 * The reader believes nothing: counts are checked against what is there, texts against their bounds, enums and flags
 * against what exists. */
#include "core/model/result.h"

#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"

enum {
    FLAG_REACHED = 1,
    FLAG_TRUNCATED = 2,
    FLAG_KEPT_CHANGED = 4,
    FLAGS_ALL = 7
};

/* the least bytes that one of each takes */
#define METRIC_BYTES_MIN 38
#define PART_BYTES_MIN 9
#define EVENT_BYTES_MIN 12
#define KEPT_BYTES_MIN 8

/* ---- writing */

static void put_metric(struct buf *out, const struct result_metric *metric)
{
    wire_put_text(out, metric->part);
    wire_put_text(out, metric->name);
    wire_put_text(out, metric->unit);
    wire_put_f64(out, metric->value);
    wire_put_u8(out, (uint8_t)metric->kind);
    wire_put_u8(out, metric->unjudged);
    wire_put_text(out, metric->warn);
    wire_put_text(out, metric->crit);
    wire_put_text(out, metric->min);
    wire_put_text(out, metric->max);
}

void result_encode(struct buf *out, const struct result *result)
{
    wire_put_u8(out, (uint8_t)result->end);
    wire_put_u8(out, (uint8_t)result->state);
    wire_put_u8(out, (uint8_t)((result->reached ? FLAG_REACHED : 0) | (result->truncated ? FLAG_TRUNCATED : 0) |
                               (result->kept_changed ? FLAG_KEPT_CHANGED : 0)));
    wire_put_u32(out, result->duration_us);
    wire_put_text(out, result->text);
    wire_put_text(out, result->detail);
    wire_put_u32(out, result->metric_count);
    for (uint32_t i = 0; i < result->metric_count; i++)
        put_metric(out, &result->metrics[i]);
    wire_put_u32(out, result->part_count);
    for (uint32_t i = 0; i < result->part_count; i++) {
        wire_put_text(out, result->parts[i].name);
        wire_put_u8(out, (uint8_t)result->parts[i].state);
        wire_put_text(out, result->parts[i].text);
    }
    wire_put_u32(out, result->event_count);
    for (uint32_t i = 0; i < result->event_count; i++) {
        wire_put_text(out, result->events[i].type);
        wire_put_text(out, result->events[i].part);
        wire_put_text(out, result->events[i].text);
    }
    kept_encode(out, &result->kept);
}

void kept_encode(struct buf *out, const struct kept *kept)
{
    wire_put_u32(out, kept->count);
    for (uint32_t i = 0; i < kept->count; i++) {
        wire_put_text(out, kept->values[i].key);
        wire_put_text(out, kept->values[i].value);
    }
}

/* ---- reading */

static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7F)
            return false;
    }
    return true;
}

/* A text that may be shown, or NULL. The worker makes texts visible; one whose plugin writes into its socket does not,
 * and what is no UTF-8 could neither be answered nor recorded. */
static const char *read_shown(struct wire_reader *r, struct arena *arena, size_t max_bytes, bool lines)
{
    const char *text = wire_text(r, arena, max_bytes);
    if (!text || is_plain(text))
        return text;
    size_t size = 4 * strlen(text) + 4; /* a byte becomes four at most */
    size = size < max_bytes + 1 ? size : max_bytes + 1;
    return text_visible(arena_alloc(arena, size), size, text, lines);
}

/* A text that must be there and not be empty. */
static const char *read_name(struct wire_reader *r, struct arena *arena, size_t max_bytes)
{
    const char *name = read_shown(r, arena, max_bytes, false);
    if (!name || !name[0])
        r->failed = true;
    return name;
}

/* A text that must be there. */
static const char *read_text(struct wire_reader *r, struct arena *arena, size_t max_bytes)
{
    const char *text = read_shown(r, arena, max_bytes, false);
    if (!text)
        r->failed = true;
    return text;
}

/* A byte that is at most greatest. */
static uint8_t read_enum(struct wire_reader *r, uint8_t greatest)
{
    uint8_t value = wire_u8(r);
    if (value <= greatest)
        return value;
    r->failed = true;
    return 0;
}

static bool is_metric_name(const char *name)
{
    for (; name && *name; name++) {
        if ((unsigned char)*name < 0x20 || *name == 0x7F || *name == '=')
            return false;
    }
    return true;
}

static const char *read_metric_name(struct wire_reader *r, struct arena *arena)
{
    struct wire_reader again = *r;
    if (!is_metric_name(wire_text(&again, arena, RESULT_NAME_MAX)))
        r->failed = true;
    return read_name(r, arena, RESULT_NAME_MAX);
}

static void read_metrics(struct wire_reader *r, struct arena *arena, struct result *out)
{
    out->metric_count = wire_count(r, RESULT_METRICS_MAX, METRIC_BYTES_MIN);
    out->metrics = out->metric_count ? arena_array(arena, out->metric_count, sizeof *out->metrics) : NULL;
    for (uint32_t i = 0; i < out->metric_count && !r->failed; i++) {
        struct result_metric *metric = &out->metrics[i];
        metric->part = read_shown(r, arena, RESULT_PART_MAX, false);
        metric->name = read_metric_name(r, arena);
        metric->unit = read_text(r, arena, RESULT_NAME_MAX);
        metric->value = wire_f64(r);
        metric->kind = read_enum(r, BELFRY_COUNTER);
        metric->unjudged = read_enum(r, true) != 0;
        metric->warn = read_shown(r, arena, RESULT_RANGE_MAX, false);
        metric->crit = read_shown(r, arena, RESULT_RANGE_MAX, false);
        metric->min = read_shown(r, arena, RESULT_RANGE_MAX, false);
        metric->max = read_shown(r, arena, RESULT_RANGE_MAX, false);
    }
}

static void read_parts(struct wire_reader *r, struct arena *arena, struct result *out)
{
    out->part_count = wire_count(r, RESULT_PARTS_MAX, PART_BYTES_MIN);
    out->parts = out->part_count ? arena_array(arena, out->part_count, sizeof *out->parts) : NULL;
    for (uint32_t i = 0; i < out->part_count && !r->failed; i++) {
        out->parts[i].name = read_name(r, arena, RESULT_PART_MAX);
        out->parts[i].state = (enum belfry_state)read_enum(r, BELFRY_UNKNOWN);
        out->parts[i].text = read_text(r, arena, RESULT_TEXT_MAX);
    }
}

static void read_events(struct wire_reader *r, struct arena *arena, struct result *out)
{
    out->event_count = wire_count(r, RESULT_EVENTS_MAX, EVENT_BYTES_MIN);
    out->events = out->event_count ? arena_array(arena, out->event_count, sizeof *out->events) : NULL;
    for (uint32_t i = 0; i < out->event_count && !r->failed; i++) {
        out->events[i].type = read_name(r, arena, RESULT_NAME_MAX);
        out->events[i].part = read_shown(r, arena, RESULT_PART_MAX, false);
        out->events[i].text = read_text(r, arena, RESULT_TEXT_MAX);
    }
}

int kept_decode(struct wire_reader *r, struct arena *arena, struct kept *out)
{
    out->count = wire_count(r, RESULT_KEPT_MAX, KEPT_BYTES_MIN);
    out->values = out->count ? arena_array(arena, out->count, sizeof *out->values) : NULL;
    for (uint32_t i = 0; i < out->count && !r->failed; i++) {
        out->values[i].key = wire_text(r, arena, RESULT_NAME_MAX); /* the plugin's own: never shown */
        out->values[i].value = wire_text(r, arena, RESULT_KEPT_BYTES_MAX);
        if (!out->values[i].key || !out->values[i].key[0] || !out->values[i].value)
            r->failed = true;
    }
    return r->failed ? ERROR_PROTOCOL : 0;
}

int result_decode(struct wire_reader *r, struct arena *arena, struct result *out)
{
    *out = (struct result){ 0 };
    out->end = (enum result_end)read_enum(r, RESULT_MISUSE);
    out->state = (enum belfry_state)read_enum(r, BELFRY_UNKNOWN);
    uint8_t flags = read_enum(r, FLAGS_ALL);
    out->reached = flags & FLAG_REACHED;
    out->truncated = flags & FLAG_TRUNCATED;
    out->kept_changed = flags & FLAG_KEPT_CHANGED;
    out->duration_us = wire_u32(r);
    out->text = read_shown(r, arena, RESULT_TEXT_MAX, false);
    out->detail = read_shown(r, arena, RESULT_DETAIL_MAX, true);
    read_metrics(r, arena, out);
    read_parts(r, arena, out);
    read_events(r, arena, out);
    return kept_decode(r, arena, &out->kept);
}
