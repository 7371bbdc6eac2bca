/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event - both directions from two tables: EVENT_LIST says which fields a type has, texts[] where the text fields lie
 * and how they are called. A text that is NULL is left out of the journal. */
#include "core/model/event.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"

static const struct type {
    const char *name;
    unsigned fields;
} types[EVENT_TYPE_COUNT] = {
#define EVENT_TYPE_(id, name, fields) [id] = { name, (unsigned)(fields) },
    EVENT_LIST(EVENT_TYPE_)
#undef EVENT_TYPE_
};

static const struct text_field {
    unsigned field;
    const char *name;
    size_t offset;
    bool needed; /* what events are about; others may be missing */
} texts[] = {
    { E_CHECK, "check", offsetof(struct event, check), true },
    { E_PART, "part", offsetof(struct event, part), true },
    { E_BREAKER, "breaker", offsetof(struct event, breaker), true },
    { E_SERVICE, "service", offsetof(struct event, service), true },
    { E_PLUGIN, "plugin", offsetof(struct event, plugin), true },
    { E_VERSION, "version", offsetof(struct event, version), false },
    { E_PATH, "path", offsetof(struct event, path), false },
    { E_NAME, "name", offsetof(struct event, name), false },
    { E_WHO, "by", offsetof(struct event, by), false },
    { E_DIGEST, "sha256", offsetof(struct event, sha256), false },
    { E_DRILL, "drill", offsetof(struct event, drill), true },
    { E_RUNBOOK, "runbook", offsetof(struct event, runbook), true },
    { E_DRILL | E_RUNBOOK, "id", offsetof(struct event, id), true },
    { E_PHASE, "phase", offsetof(struct event, phase), false },
    { E_TEXT, "text", offsetof(struct event, text), false },
};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

/* Counts that a record may be without. */
static const struct count_field {
    unsigned field;
    const char *name;
    size_t offset;
} counts[] = {
    { E_OFFSET, "offset", offsetof(struct event, offset) },
    { E_BYTES, "bytes", offsetof(struct event, bytes) },
    { E_LINE, "line", offsetof(struct event, line) },
    { E_COUNT, "count", offsetof(struct event, count) },
};
#define COUNT_COUNT (sizeof counts / sizeof counts[0])

/* A worker may crash between runs, and an event may concern no part. */
static bool may_miss(enum event_type type, const struct text_field *field)
{
    return !field->needed || ((type == EVENT_PLUGIN_CRASHED || type == EVENT_CHILD_DIED) && field->field == E_CHECK) ||
           (type == EVENT_CHECK_EVENT && field->field == E_PART);
}

static const char **text_at(struct event *event, const struct text_field *field)
{
    return (const char **)((char *)event + field->offset);
}

const char *event_name(enum event_type type)
{
    return (unsigned)type < EVENT_TYPE_COUNT ? types[type].name : "unknown";
}

enum event_type event_from_name(const char *name)
{
    unsigned i = 0;
    while (i < EVENT_TYPE_COUNT && strcmp(types[i].name, name) != 0)
        i++;
    return (enum event_type)i;
}

/* ---- writing */

/* The comma before every member but the first, the name and the colon. */
static void put_name(struct buf *out, size_t begin, const char *name)
{
    if (out->length > begin)
        buf_char(out, ',');
    buf_char(out, '"');
    buf_text(out, name);
    buf_text(out, "\":");
}

static void put_text(struct buf *out, size_t begin, const char *name, const char *text)
{
    put_name(out, begin, name);
    buf_json_text(out, text);
}

static void put_integer(struct buf *out, size_t begin, const char *name, int64_t value)
{
    put_name(out, begin, name);
    buf_json_integer(out, value);
}

static void put_numbers(struct buf *out, size_t begin, const struct event *event, unsigned fields)
{
    if (fields & E_ATTEMPT) {
        put_integer(out, begin, "attempt", event->attempt);
        put_integer(out, begin, "attempts", event->attempts);
    }
    if (fields & E_ON) {
        put_name(out, begin, "on");
        buf_text(out, event->on ? "true" : "false");
    }
    if (fields & E_PERCENT) {
        put_name(out, begin, "percent");
        buf_json_number(out, event->percent);
    }
    if (fields & E_FAILURES)
        put_integer(out, begin, "failures", event->failures);
    if (fields & E_PAUSE)
        put_integer(out, begin, "ms", event->pause_ms);
    for (size_t i = 0; i < COUNT_COUNT; i++)
        if (fields & counts[i].field)
            put_integer(out, begin, counts[i].name, *(const int64_t *)((const char *)event + counts[i].offset));
}

void event_encode(struct buf *out, const struct event *event)
{
    size_t begin = out->length;
    unsigned fields = (unsigned)event->type < EVENT_TYPE_COUNT ? types[event->type].fields : 0;
    struct event copy = *event;
    for (size_t i = 0; i < TEXT_COUNT - 1; i++) { /* all but the text, which stands last for the reader's sake */
        const char *text = *text_at(&copy, &texts[i]);
        if ((fields & texts[i].field) && text)
            put_text(out, begin, texts[i].name, text);
    }
    if (fields & E_STATES) {
        put_text(out, begin, "from", state_name(event->from));
        put_text(out, begin, "to", state_name(event->to));
        put_text(out, begin, "kind", event->hard ? "hard" : "soft");
    }
    put_numbers(out, begin, event, fields);
    if ((fields & E_FIGURES) && event->figures) {
        put_name(out, begin, "figures");
        buf_text(out, event->figures);
    }
    if ((fields & E_TEXT) && event->text)
        put_text(out, begin, "text", event->text);
}

/* ---- reading: each returns whether the members are there and make sense */

static bool read_texts(const json_t *root, struct arena *arena, struct event *event)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (!(types[event->type].fields & texts[i].field))
            continue;
        const json_t *member = json_object_get(root, texts[i].name);
        const char *text = json_string_value(member);
        if (!text && (!may_miss(event->type, &texts[i]) || (member && !json_is_null(member))))
            return false;
        *text_at(event, &texts[i]) = arena_text(arena, text);
    }
    return true;
}

static bool read_counts(const json_t *root, struct event *event)
{
    for (size_t i = 0; i < COUNT_COUNT; i++) {
        const json_t *member = json_object_get(root, counts[i].name);
        if (!(types[event->type].fields & counts[i].field) || !member)
            continue;
        if (!json_is_integer(member) || json_integer_value(member) < 0)
            return false;
        *(int64_t *)((char *)event + counts[i].offset) = json_integer_value(member);
    }
    return true;
}

static bool read_figures(const json_t *root, struct arena *arena, struct event *event)
{
    const json_t *member = json_object_get(root, "figures");
    if (!(types[event->type].fields & E_FIGURES) || !member)
        return true;
    char *text = json_is_object(member) ? json_dumps(member, JSON_COMPACT) : NULL;
    event->figures = arena_text(arena, text);
    free(text);
    return event->figures != NULL;
}

static bool read_u32(const json_t *root, const char *name, uint32_t *out)
{
    const json_t *member = json_object_get(root, name);
    json_int_t value = json_integer_value(member);
    if (!json_is_integer(member) || value < 0 || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_state(const json_t *root, const char *name, enum belfry_state *out)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text && state_from_name(text, out);
}

static bool read_states(const json_t *root, struct event *event)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    if (!kind || (strcmp(kind, "hard") != 0 && strcmp(kind, "soft") != 0))
        return false;
    event->hard = kind[0] == 'h';
    return read_state(root, "from", &event->from) && read_state(root, "to", &event->to);
}

static bool read_others(const json_t *root, struct event *event)
{
    const json_t *on = json_object_get(root, "on"), *percent = json_object_get(root, "percent");
    const json_t *pause = json_object_get(root, "ms");
    event->on = json_is_true(on);
    event->percent = json_number_value(percent);
    event->pause_ms = json_integer_value(pause);
    unsigned fields = types[event->type].fields;
    return (!(fields & E_ON) || json_is_boolean(on)) &&
           (!(fields & E_PERCENT) || (json_is_number(percent) && isfinite(event->percent))) &&
           (!(fields & E_PAUSE) || json_is_integer(pause)) &&
           (!(fields & E_FAILURES) || read_u32(root, "failures", &event->failures)) &&
           (!(fields & E_ATTEMPT) ||
            (read_u32(root, "attempt", &event->attempt) && read_u32(root, "attempts", &event->attempts))) &&
           (!(fields & E_STATES) || read_states(root, event));
}

static int read_event(const json_t *root, struct arena *arena, struct event *event)
{
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *at = json_string_value(json_object_get(root, "at"));
    if (!type || !at || text_utc(at, &event->wall_ms) != 0)
        return ERROR_SYNTAX;
    event->type = event_from_name(type);
    if (event->type == EVENT_TYPE_COUNT)
        return ERROR_UNKNOWN_NAME;
    return read_texts(root, arena, event) && read_counts(root, event) && read_others(root, event) &&
                   read_figures(root, arena, event)
               ? 0
               : ERROR_SYNTAX;
}

int event_decode(struct arena *arena, const char *line, size_t length, struct event *out)
{
    struct event event = { 0 };
    json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL); /* members can't say another type */
    int code = json_is_object(root) ? read_event(root, arena, &event) : ERROR_SYNTAX;
    json_decref(root);
    if (code == 0)
        *out = event;
    return code;
}
