/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record - the line is composed from a fixed beginning, the caller's members and a fixed end, and is taken apart by
 * exactly that form: no JSON parser stands between the bytes on disk and the bytes that are hashed. */
#include "core/journal/record.h"

#include <assert.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"

/* ---- composing ------------------------------------------------------------------------------------------------- */

static bool is_type_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static bool is_type(const char *type)
{
    size_t n = 0;
    while (is_type_char(type[n]))
        n++;
    return n > 0 && n < RECORD_TYPE_SIZE && type[n] == '\0';
}

/* The writer of members never leaves a control character in them; if one did, it must not end the line. */
static void blank_controls(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20)
            text[i] = ' ';
}

static void put_members(struct buf *out, size_t begin, const char *members)
{
    size_t length = strlen(members), at = out->length;
    if (length == 0)
        return;
    buf_char(out, ',');
    if (out->length - begin + length + RECORD_TAIL_SIZE > JOURNAL_RECORD_MAX) {
        buf_text(out, "\"oversized\":");
        buf_json_integer(out, (int64_t)length);
        return;
    }
    buf_add(out, members, length);
    blank_controls(out->data + at, out->length - at);
}

static void put_head(struct buf *out, uint64_t seq, int64_t wall_ms, const char *type, const char *who)
{
    char at[TEXT_TIME_SIZE], cut[RECORD_WHO_SIZE / 2];
    text_copy(cut, sizeof cut, who);
    buf_text(out, "{\"seq\":");
    buf_json_integer(out, (int64_t)seq);
    buf_text(out, ",\"at\":\"");
    buf_text(out, text_format_utc(at, wall_ms));
    buf_text(out, "\",\"type\":\"");
    buf_text(out, type);
    buf_text(out, "\",\"who\":");
    buf_json_text(out, cut);
}

static void put_mac(struct buf *out, size_t begin, const struct journal_entry *entry)
{
    char mac[DIGEST_HEX_SIZE];
    entry->sign(entry->context, out->data + begin, out->length - begin, mac);
    buf_text(out, ",\"mac\":\"");
    buf_add(out, mac, DIGEST_HEX_SIZE - 1);
    buf_char(out, '"');
}

void record_compose(struct buf *out, uint64_t seq, const char *prev, const struct journal_entry *entry,
                    char hash[DIGEST_HEX_SIZE])
{
    assert(is_type(entry->type));
    size_t begin = out->length;
    put_head(out, seq, entry->wall_ms, entry->type, entry->who);
    buf_text(out, ",\"prev\":\"");
    buf_add(out, prev, DIGEST_HEX_SIZE - 1);
    buf_char(out, '"');
    put_members(out, begin, entry->members);
    if (entry->sign != NULL)
        put_mac(out, begin, entry);
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(out->data + begin, out->length - begin, digest);
    digest_hex(digest, hash);
    buf_text(out, ",\"hash\":\"");
    buf_add(out, hash, DIGEST_HEX_SIZE - 1);
    buf_text(out, "\"}\n");
}

/* ---- taking apart ---------------------------------------------------------------------------------------------- */

/* A position in the line; the first thing that is not as it must be sets failed, and nothing moves any more. */
struct scan {
    const char *at, *end;
    bool failed;
};

static void expect(struct scan *s, const char *text)
{
    size_t n = strlen(text);
    if (s->failed || (size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0)
        s->failed = true;
    else
        s->at += n;
}

static bool next_is(const struct scan *s, const char *text)
{
    size_t n = strlen(text);
    return !s->failed && (size_t)(s->end - s->at) >= n && memcmp(s->at, text, n) == 0;
}

/* Decimal, 1 to 18 digits, no leading zero. */
static uint64_t take_integer(struct scan *s)
{
    uint64_t value = 0;
    unsigned digits = 0;
    if (s->failed || s->at == s->end || *s->at == '0')
        s->failed = true;
    for (; !s->failed && s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, digits++) {
        if (digits == 18)
            s->failed = true;
        value = value * 10 + (uint64_t)(*s->at - '0');
    }
    if (digits == 0)
        s->failed = true;
    return value;
}

static const char *take_hex(struct scan *s, size_t n)
{
    const char *begin = s->at;
    unsigned bad = 0;
    s->failed = s->failed || (size_t)(s->end - s->at) < n;
    for (size_t i = 0; !s->failed && i < n; i++) /* without a jump: half of a reader's time is spent here */
        bad |= ((unsigned char)(begin[i] - '0') > 9) & ((unsigned char)(begin[i] - 'a') > 5);
    s->failed = s->failed || bad;
    s->at += s->failed ? 0 : n;
    return begin;
}

/* As text_format_utc() writes it: the form of "dddd-dd-ddTdd:dd:dd.dddZ". */
static const char *take_time(struct scan *s)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    const char *begin = s->at;
    if (s->failed || (size_t)(s->end - s->at) < RECORD_AT_SIZE)
        s->failed = true;
    for (size_t i = 0; !s->failed && i < RECORD_AT_SIZE; i++, s->at++)
        if (form[i] == '0' ? *s->at < '0' || *s->at > '9' : *s->at != form[i])
            s->failed = true;
    return begin;
}

static const char *take_type(struct scan *s, size_t *length)
{
    const char *begin = s->at;
    while (!s->failed && s->at < s->end && is_type_char(*s->at))
        s->at++;
    *length = (size_t)(s->at - begin);
    if (*length == 0 || *length >= RECORD_TYPE_SIZE)
        s->failed = true;
    return begin;
}

/* The inside of a JSON string, up to its closing quote. */
static const char *take_string(struct scan *s, size_t *length)
{
    const char *begin = s->at;
    while (!s->failed && s->at < s->end && *s->at != '"')
        s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
    *length = (size_t)(s->at - begin);
    return begin;
}

int record_parse(const char *line, size_t length, struct record *out)
{
    if (length + 1 < RECORD_LEAST || length > JOURNAL_RECORD_MAX)
        return ERROR_SYNTAX;
    const char *tail = line + length - RECORD_TAIL_SIZE;
    struct scan s = { line, tail, false };
    expect(&s, "{\"seq\":");
    out->seq = take_integer(&s);
    expect(&s, ",\"at\":\"");
    out->at = take_time(&s);
    expect(&s, "\",\"type\":\"");
    out->type = take_type(&s, &out->type_length);
    expect(&s, "\",\"who\":\"");
    out->who = take_string(&s, &out->who_length);
    expect(&s, "\",\"prev\":\"");
    out->prev = take_hex(&s, DIGEST_HEX_SIZE - 1);
    expect(&s, "\"");
    if (!s.failed && s.at < s.end)
        expect(&s, ",");
    out->members = s.at;
    out->members_length = (size_t)(tail - s.at);

    struct scan t = { tail, line + length, s.failed };
    expect(&t, ",\"hash\":\"");
    out->hash = take_hex(&t, DIGEST_HEX_SIZE - 1);
    expect(&t, "\"}");
    return t.failed ? ERROR_SYNTAX : 0;
}

bool record_hash_holds(const char *line, size_t length)
{
    unsigned char digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    digest_sha256(line, length - RECORD_TAIL_SIZE, digest);
    digest_hex(digest, hex);
    return memcmp(hex, line + length - RECORD_TAIL_SIZE + strlen(",\"hash\":\""), DIGEST_HEX_SIZE - 1) == 0;
}

int64_t record_wall_ms(const struct record *record)
{
    char at[RECORD_AT_SIZE + 1];
    int64_t wall_ms = 0;
    memcpy(at, record->at, RECORD_AT_SIZE);
    at[RECORD_AT_SIZE] = '\0';
    (void)text_utc(at, &wall_ms);
    return wall_ms;
}

/* Only quotes and backslashes are turned back: what else is escaped is not for reading. */
static void copy_who(char *out, const struct record *record)
{
    size_t n = 0;
    for (size_t i = 0; i < record->who_length && n + 1 < RECORD_WHO_SIZE; i++) {
        bool escape = record->who[i] == '\\' && i + 1 < record->who_length &&
                      (record->who[i + 1] == '"' || record->who[i + 1] == '\\');
        out[n++] = record->who[escape ? ++i : i];
    }
    out[n] = '\0';
}

void record_show(const struct record *record, const struct segment_line *line, const char *segment,
                 struct record_texts *texts, struct journal_record *out)
{
    memcpy(texts->type, record->type, record->type_length);
    texts->type[record->type_length] = '\0';
    copy_who(texts->who, record);
    *out = (struct journal_record){ .seq = record->seq,
                                    .wall_ms = record_wall_ms(record),
                                    .type = texts->type,
                                    .who = texts->who,
                                    .line = line->text,
                                    .length = line->length,
                                    .segment = segment,
                                    .line_number = line->number };
}

/* "version":1,"journal":"<32>","previous":null,"end":null
 * "version":1,"journal":"<32>","previous":"<26>","end":"<64>"; more members may follow. */
int record_parse_segment(const struct record *record, struct record_segment *out)
{
    struct scan s = { record->members, record->members + record->members_length, false };
    *out = (struct record_segment){ 0 };
    expect(&s, "\"version\":");
    out->version = take_integer(&s);
    expect(&s, ",\"journal\":\"");
    out->journal = take_hex(&s, SEGMENT_ID_SIZE - 1);
    expect(&s, "\",\"previous\":");
    if (next_is(&s, "null")) {
        expect(&s, "null,\"end\":null");
    } else {
        expect(&s, "\"");
        out->previous = s.at;
        if (!s.failed && (size_t)(s.end - s.at) > SEGMENT_NAME_SIZE && segment_is_name(s.at, SEGMENT_NAME_SIZE - 1))
            s.at += SEGMENT_NAME_SIZE - 1;
        expect(&s, "\",\"end\":\"");
        out->end = take_hex(&s, DIGEST_HEX_SIZE - 1);
        expect(&s, "\"");
    }
    if (!s.failed && s.at < s.end)
        expect(&s, ",");
    return s.failed ? ERROR_SYNTAX : 0;
}

bool record_is(const struct record *record, const char *type)
{
    return record->type_length == strlen(type) && memcmp(record->type, type, record->type_length) == 0;
}

/* [a-z_]+ and what is said by it. */
static void take_why(struct scan *s, struct record_seal *out)
{
    const char *begin = s->at;
    while (!s->failed && s->at < s->end && ((*s->at >= 'a' && *s->at <= 'z') || *s->at == '_'))
        s->at++;
    size_t n = (size_t)(s->at - begin);
    out->begins = n == 5 && memcmp(begin, "begin", n) == 0;
    out->stops = n == 4 && memcmp(begin, "stop", n) == 0;
    if (n == 0)
        s->failed = true;
}

/* "epoch":E,"every":S,"why":"R","mac":"<64>"; before "mac" more members may stand. */
int record_parse_seal(const struct record *record, struct record_seal *out)
{
    *out = (struct record_seal){ 0 };
    if (record->members_length <= RECORD_MAC_SIZE)
        return ERROR_SYNTAX;
    const char *end = record->members + record->members_length;
    out->signed_end = end - RECORD_MAC_SIZE;
    struct scan s = { record->members, out->signed_end, false };
    expect(&s, "\"epoch\":");
    out->epoch = take_integer(&s);
    expect(&s, ",\"every\":");
    out->every_s = take_integer(&s);
    expect(&s, ",\"why\":\"");
    take_why(&s, out);
    expect(&s, "\"");
    if (!s.failed && s.at < s.end)
        expect(&s, ",");
    struct scan t = { out->signed_end, end, s.failed };
    expect(&t, ",\"mac\":\"");
    out->mac = take_hex(&t, DIGEST_HEX_SIZE - 1);
    expect(&t, "\"");
    return t.failed ? ERROR_SYNTAX : 0;
}

static void take_name(struct scan *s, char out[SEGMENT_NAME_SIZE])
{
    if (s->failed || (size_t)(s->end - s->at) < SEGMENT_NAME_SIZE || !segment_is_name(s->at, SEGMENT_NAME_SIZE - 1)) {
        s->failed = true;
        return;
    }
    text_copy(out, SEGMENT_NAME_SIZE, s->at);
    s->at += SEGMENT_NAME_SIZE - 1;
}

/* 0 or a number without leading zeros. */
static uint64_t take_count(struct scan *s)
{
    if (!next_is(s, "0"))
        return take_integer(s);
    expect(s, "0");
    return 0;
}

static void take_wall(struct scan *s, int64_t *wall_ms)
{
    const struct record at = { .at = take_time(s) };
    if (!s->failed)
        *wall_ms = record_wall_ms(&at);
}

/* "segment":"<26>","next":"<26>","last":N,"end":"<64>","records":R,"faults":F, and when there had been seals
 * "begun":B,"epoch":E,"every":S,"sealed":"T"; more members may follow. */
int record_parse_dropped(const struct record *record, struct record_dropped *out)
{
    struct scan s = { record->members, record->members + record->members_length, false };
    *out = (struct record_dropped){ 0 };
    expect(&s, "\"segment\":\"");
    take_name(&s, out->segment);
    expect(&s, "\",\"next\":\"");
    take_name(&s, out->next);
    expect(&s, "\",\"last\":");
    out->last_seq = take_count(&s);
    expect(&s, ",\"end\":\"");
    const char *end = take_hex(&s, DIGEST_HEX_SIZE - 1);
    if (!s.failed)
        text_copy(out->end, sizeof out->end, end);
    expect(&s, "\",\"records\":");
    out->records = take_count(&s);
    expect(&s, ",\"faults\":");
    out->faults = take_count(&s);
    if (!s.failed && next_is(&s, ",\"begun\":")) {
        expect(&s, ",\"begun\":");
        out->begun = take_integer(&s);
        expect(&s, ",\"epoch\":");
        out->epoch = take_integer(&s);
        expect(&s, ",\"every\":");
        out->every_s = take_integer(&s);
        expect(&s, ",\"sealed\":\"");
        take_wall(&s, &out->sealed_ms);
        expect(&s, "\"");
    }
    if (!s.failed && s.at < s.end)
        expect(&s, ",");
    return s.failed ? ERROR_SYNTAX : 0;
}

void record_compose_dropped(struct buf *members, const struct record_dropped *d)
{
    char sealed[TEXT_TIME_SIZE];
    buf_print(members,
              "\"segment\":\"%s\",\"next\":\"%s\",\"last\":%llu,\"end\":\"%s\",\"records\":%llu,\"faults\":%llu",
              d->segment, d->next, (unsigned long long)d->last_seq, d->end, (unsigned long long)d->records,
              (unsigned long long)d->faults);
    if (d->epoch != 0)
        buf_print(members, ",\"begun\":%llu,\"epoch\":%llu,\"every\":%llu,\"sealed\":\"%s\"",
                  (unsigned long long)d->begun, (unsigned long long)d->epoch, (unsigned long long)d->every_s,
                  text_format_utc(sealed, d->sealed_ms));
}

int64_t record_begin_ms(int folder, const char *segment, int64_t otherwise)
{
    struct segment_lines lines;
    struct segment_line line;
    struct record record;
    int64_t wall_ms = otherwise;
    if (segment_lines_open(&lines, folder, segment) == 0 && segment_lines_next(&lines, &line) == SEGMENT_LINE &&
        record_parse(line.text, line.length, &record) == 0)
        wall_ms = record_wall_ms(&record);
    segment_lines_close(&lines);
    return wall_ms;
}
