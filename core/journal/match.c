/* SPDX-License-Identifier: GPL-3.0-or-later */
/* match - a line is tested by what is cheap first: its number, time and type stand in the fixed beginning, a text or
 * the subject's name must occur somewhere, and only then its JSON is parsed, once. What can match must be found by the
 * index as well: index_make.c follows this file. */
#include "core/journal/match.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/base/arena.h"

const char *const match_members[] = { "check", "service", "breaker", "plugin", NULL };

/* The line's JSON, parsed when it is first needed. */
struct parsed {
    const struct segment_line *line;
    json_t *root;
    bool tried;
};

static const json_t *parse(struct parsed *parsed)
{
    if (!parsed->tried)
        parsed->root = json_loadb(parsed->line->text, parsed->line->length, 0, NULL);
    parsed->tried = true;
    return parsed->root;
}

static bool is_in_window(const struct match *match, const struct record *record)
{
    const struct journal_filter *filter = match->filter;
    return record->seq >= filter->first_seq && (filter->last_seq == 0 || record->seq <= filter->last_seq) &&
           (match->since[0] == '\0' || memcmp(record->at, match->since, RECORD_AT_SIZE) >= 0) &&
           (match->until[0] == '\0' || memcmp(record->at, match->until, RECORD_AT_SIZE) <= 0);
}

static bool has_type(const struct match_row *row, const struct record *record)
{
    size_t n = row->type_length;
    if (row->type == NULL)
        return true;
    bool prefix = n > 0 && row->type[n - 1] == '.';
    return (prefix ? record->type_length >= n : record->type_length == n) && memcmp(record->type, row->type, n) == 0;
}

/* value is the subject, or one of its checks ("redis" and "redis/server"), or an instance ("web/up" and "web/up@a"). */
static bool is_subject(const char *value, const char *subject)
{
    if (value == NULL)
        return false;
    size_t n = strlen(subject);
    return strncmp(value, subject, n) == 0 && (value[n] == '\0' || value[n] == '/' || value[n] == '@');
}

static bool has_subject(const struct match_row *row, struct parsed *parsed)
{
    const struct segment_line *line = parsed->line;
    if (row->subject == NULL)
        return true;
    if (memmem(line->text, line->length, row->raw.data, row->raw.length) == NULL)
        return false;
    bool found = false;
    for (size_t i = 0; !found && match_members[i] != NULL; i++)
        found = is_subject(json_string_value(json_object_get(parse(parsed), match_members[i])), row->subject);
    return found;
}

static bool has_row(const struct match_row *row, const struct record *record, struct parsed *parsed)
{
    return has_type(row, record) && has_subject(row, parsed);
}

static bool has_one(const struct match *match, const struct record *record, struct parsed *parsed)
{
    bool found = match->count == 1;
    for (size_t i = 1; !found && i < match->count; i++)
        found = has_row(&match->rows[i], record, parsed);
    return found;
}

bool match_takes(const struct match *match, const struct segment_line *line, struct record *record)
{
    const char *text = match->filter->text;
    struct parsed parsed = { .line = line };
    bool takes = record_parse(line->text, line->length, record) == 0 && is_in_window(match, record) &&
                 has_type(&match->rows[0], record) && (text == NULL || strcasestr(line->text, text) != NULL) &&
                 has_subject(&match->rows[0], &parsed) && has_one(match, record, &parsed);
    json_decref(parsed.root);
    return takes;
}

static void set_row(struct match_row *row, const char *type, const char *subject)
{
    *row = (struct match_row){ .type = type, .subject = subject, .type_length = type != NULL ? strlen(type) : 0 };
    if (subject == NULL)
        return;
    buf_json_text(&row->raw, subject);
    buf_consume(&row->raw, 1);
    row->raw.length--; /* the quotes */
}

void match_open(struct match *match, const struct journal_filter *filter)
{
    *match = (struct match){ .filter = filter, .count = 1 + filter->pick_count };
    match->rows = heap_array(match->count, sizeof *match->rows);
    set_row(&match->rows[0], filter->type, filter->subject);
    for (size_t i = 1; i < match->count; i++)
        set_row(&match->rows[i], filter->picks[i - 1].type, filter->picks[i - 1].subject);
    if (filter->since_ms != 0)
        text_format_utc(match->since, filter->since_ms);
    if (filter->until_ms != 0)
        text_format_utc(match->until, filter->until_ms);
}

void match_close(struct match *match)
{
    for (size_t i = 0; i < match->count; i++)
        buf_close(&match->rows[i].raw);
    free(match->rows);
    *match = (struct match){ 0 };
}
