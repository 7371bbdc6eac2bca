/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reader - questions to a journal, without the daemon: which records of a time, a type, a subject, with a text.
 *
 * A segment is passed over when its first record and that of the next one lie on the same side of the time window, with
 * an hour to spare because the wall clock may step. (Two large steps within one segment could hide its records from a
 * question with a window; a question without one reads everything.) A line is tested by what is cheap first: its time
 * and type stand in the fixed beginning, a text or the subject's name must occur somewhere, and only then its JSON is
 * parsed. `last` counts the matches backwards, segment by segment, until there are enough, and then reads forward from
 * there.
 *
 * `follow` waits by inotify (and at least once a second, should inotify fail) and reads on. An unfinished line is left
 * alone until its newline is there. What is shown may be not yet durable: it stands in the file, but the fdatasync may
 * still be under way.
 *
 * Of a compressed segment only those blocks are unpacked that can hold what is asked for, when there is an index that
 * fits (index.h); without one, all of them.
 *
 * Lines that have not the form of a record are passed over here; naming them is verify's task. */
#include "core/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/journal/index.h"
#include "core/journal/record.h"
#include "core/journal/segment.h"

#define CLOCK_SLACK_MS (3600 * 1000)
#define FOLLOW_POLL_MS 1000
#define TIME_UNKNOWN INT64_MIN

struct query {
    const struct journal_filter *filter;
    journal_visit visit;
    void *context;
    int folder, watch;
    char since[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE]; /* in the record's own form, "" when open */
    struct buf subject;                                /* as it stands in a line, without quotes */
    struct segment_list list;
    int64_t *begins;   /* the time of each segment's first record, or TIME_UNKNOWN; NULL: not needed yet */
    uint64_t last_end; /* the length of the last segment when it was first read: nothing behind it belongs to `last` */
    uint64_t skip;     /* so many matches are not shown */
    struct segment_lines lines;
    char name[SEGMENT_NAME_SIZE]; /* of the segment in lines; "": none is open */
    struct index index;           /* of it, when it is compressed and there is one */
    uint64_t block, block_end;    /* the one being read, and the offset where it ends */
};

/* ---- does a record match? --------------------------------------------------------------------------------------- */

static bool is_in_window(const struct query *q, const struct record *record)
{
    return (q->since[0] == '\0' || memcmp(record->at, q->since, RECORD_AT_SIZE) >= 0) &&
           (q->until[0] == '\0' || memcmp(record->at, q->until, RECORD_AT_SIZE) <= 0);
}

static bool has_type(const char *want, const struct record *record)
{
    if (want == NULL)
        return true;
    size_t n = strlen(want);
    bool prefix = n > 0 && want[n - 1] == '.';
    return (prefix ? record->type_length >= n : record->type_length == n) && memcmp(record->type, want, n) == 0;
}

/* value is the subject, or one of its checks ("redis" and "redis/server"), or an instance ("web/up" and "web/up@a"). */
static bool is_subject(const char *value, const char *subject)
{
    if (value == NULL)
        return false;
    size_t n = strlen(subject);
    return strncmp(value, subject, n) == 0 && (value[n] == '\0' || value[n] == '/' || value[n] == '@');
}

static bool has_subject(const struct query *q, const struct segment_line *line)
{
    static const char *const members[] = { "check", "service", "breaker", "plugin" };
    const char *subject = q->filter->subject;
    if (subject == NULL)
        return true;
    if (memmem(line->text, line->length, q->subject.data, q->subject.length) == NULL)
        return false;
    json_t *root = json_loadb(line->text, line->length, 0, NULL);
    bool found = false;
    for (size_t i = 0; !found && i < sizeof members / sizeof members[0]; i++)
        found = is_subject(json_string_value(json_object_get(root, members[i])), subject);
    json_decref(root);
    return found;
}

static bool matches(const struct query *q, const struct segment_line *line, struct record *record)
{
    const char *text = q->filter->text;
    return record_parse(line->text, line->length, record) == 0 && is_in_window(q, record) &&
           has_type(q->filter->type, record) && (text == NULL || strcasestr(line->text, text) != NULL) &&
           has_subject(q, line);
}

/* ---- which segments --------------------------------------------------------------------------------------------- */

/* The time of a segment's first record. */
static int64_t first_time(const struct query *q, const char *name)
{
    struct segment_lines lines;
    struct segment_line line;
    struct record record;
    int64_t wall_ms = TIME_UNKNOWN;
    if (segment_lines_open(&lines, q->folder, name) == 0 && segment_lines_next(&lines, &line) == SEGMENT_LINE &&
        record_parse(line.text, line.length, &record) == 0)
        wall_ms = record_wall_ms(&record);
    segment_lines_close(&lines);
    return wall_ms;
}

static void read_begins(struct query *q)
{
    q->begins = heap_alloc((q->list.count + 1) * sizeof *q->begins);
    for (size_t i = 0; i < q->list.count; i++)
        q->begins[i] = first_time(q, q->list.names[i]);
}

/* Whether segment i can hold records of the window, by the times of its first record and of the next segment's. When
 * one of them is not known, and of the last segment, it may. */
static bool may_hold(struct query *q, size_t i)
{
    int64_t since = q->filter->since_ms, until = q->filter->until_ms;
    if ((since == 0 && until == 0) || i + 1 >= q->list.count)
        return true;
    if (q->begins == NULL)
        read_begins(q);
    int64_t begin_ms = q->begins[i], end_ms = q->begins[i + 1];
    if (begin_ms == TIME_UNKNOWN || end_ms == TIME_UNKNOWN)
        return true;
    int64_t least = begin_ms < end_ms ? begin_ms : end_ms;
    int64_t most = begin_ms < end_ms ? end_ms : begin_ms;
    return (since == 0 || most + CLOCK_SLACK_MS >= since) && (until == 0 || least - CLOCK_SLACK_MS <= until);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* -ENOENT: it was dropped meanwhile. */
static int open_segment(struct query *q, size_t i)
{
    segment_lines_close(&q->lines);
    index_close(&q->index);
    memcpy(q->name, q->list.names[i], sizeof q->name);
    int code = segment_lines_open(&q->lines, q->folder, q->name);
    if (code == 0 && q->lines.packed != NULL)
        (void)index_read(&q->index, q->folder, q->name, pack_size(q->lines.packed)); /* it can be done without */
    q->block = 0;
    q->block_end = 0;
    return code;
}

static bool may_block_hold(const struct query *q, const struct index_block *block)
{
    const struct journal_filter *filter = q->filter;
    return block->records > 0 && (filter->since_ms == 0 || block->most_ms >= filter->since_ms) &&
           (filter->until_ms == 0 || block->least_ms <= filter->until_ms) &&
           index_may_hold(block, filter->type, filter->subject != NULL ? &q->subject : NULL);
}

/* Goes to the next block that can hold a match; false when there is none. */
static bool next_block(struct query *q)
{
    const struct index_block *blocks = q->index.blocks;
    uint64_t i = q->block;
    while (i < q->index.count && !may_block_hold(q, &blocks[i]))
        i++;
    if (i == q->index.count)
        return false;
    if (blocks[i].offset != q->lines.offset)
        segment_lines_seek(&q->lines, blocks[i].packed_at, blocks[i].offset, blocks[i].lines_before);
    q->block = i + 1;
    q->block_end = i + 1 < q->index.count ? blocks[i + 1].offset : UINT64_MAX;
    return true;
}

/* The next line that can be a match, as segment_lines_next(); what can't be unpacked is passed over. */
static int next_line(struct query *q, struct segment_line *line)
{
    int next;
    do {
        if (q->index.count > 0 && q->lines.offset >= q->block_end && !next_block(q))
            return SEGMENT_END;
        next = segment_lines_next(&q->lines, line);
        if (next == SEGMENT_DAMAGED && q->index.count > 0)
            q->lines.offset = UINT64_MAX; /* on with the next block, wherever we are */
    } while (next == SEGMENT_DAMAGED);
    return next;
}

/* While counting and then showing the last n matches, the last segment keeps the length that it had at first. */
static void fix_length(struct query *q, size_t i)
{
    if (q->filter->last == 0 || i + 1 < q->list.count)
        return;
    if (q->last_end == 0)
        q->last_end = q->lines.end;
    q->lines.end = q->last_end;
}

static int begin_segment(struct query *q, size_t i)
{
    int code = open_segment(q, i);
    if (code == 0)
        fix_length(q, i);
    return code;
}

/* Counts the matches in what is left of the open segment. */
static int count_matches(struct query *q, uint64_t *count)
{
    struct segment_line line;
    struct record record;
    int next;
    while ((next = next_line(q, &line)) == SEGMENT_LINE)
        *count += matches(q, &line, &record);
    return next < 0 ? next : 0;
}

static int show(struct query *q, const struct segment_line *line, const struct record *record)
{
    if (q->skip > 0) {
        q->skip--;
        return 0;
    }
    struct record_texts texts;
    struct journal_record out;
    record_show(record, line, q->name, &texts, &out);
    return q->visit(q->context, &out);
}

/* Shows the matches in what is left of the open segment. */
static int show_matches(struct query *q)
{
    struct segment_line line;
    struct record record;
    int next;
    while ((next = next_line(q, &line)) == SEGMENT_LINE) {
        int code = matches(q, &line, &record) ? show(q, &line, &record) : 0;
        if (code != 0)
            return code;
    }
    return next < 0 ? next : 0;
}

/* Goes back from the end until there are enough matches; sets *from and how many of them are too many. */
static int find_last(struct query *q, size_t *from)
{
    uint64_t count = 0;
    size_t i = q->list.count;
    while (i > 0 && count < q->filter->last) {
        if (!may_hold(q, --i))
            continue;
        int code = begin_segment(q, i);
        if (code == 0)
            code = count_matches(q, &count);
        if (code < 0 && code != -ENOENT)
            return code;
    }
    *from = i;
    q->skip = count > q->filter->last ? count - q->filter->last : 0;
    return 0;
}

static int read_present(struct query *q)
{
    size_t from = 0;
    int code = q->filter->last != 0 ? find_last(q, &from) : 0;
    for (size_t i = from; code == 0 && i < q->list.count; i++) {
        if (!may_hold(q, i))
            continue;
        code = begin_segment(q, i);
        if (code == 0)
            code = show_matches(q);
        else if (code == -ENOENT)
            code = 0;
    }
    q->skip = 0;
    return code;
}

/* ---- follow ----------------------------------------------------------------------------------------------------- */

static void watch_folder(struct query *q, const char *folder)
{
    q->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (q->watch >= 0 && inotify_add_watch(q->watch, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        close(q->watch);
        q->watch = -1;
    }
}

static void wait_for_change(const struct query *q)
{
    char events[4096];
    struct pollfd watch = { .fd = q->watch, .events = POLLIN }; /* -1: poll only waits */
    if (poll(&watch, 1, FOLLOW_POLL_MS) > 0)
        while (read(q->watch, events, sizeof events) > 0)
            ;
}

/* An empty segment that a recovery has removed, to make it anew under the same name. (One that was read from is gone
 * because it was compressed or dropped.) */
static bool is_removed(const struct segment_lines *lines)
{
    struct stat st;
    return lines->fd >= 0 && lines->number == 0 && fstat(lines->fd, &st) == 0 && st.st_nlink == 0;
}

/* The index of the first segment behind the open one, or with `again` of that one too; the count when there is none. */
static size_t find_next(const struct query *q, bool again)
{
    size_t i = q->list.count;
    while (i > 0 && strcmp(q->list.names[i - 1], q->name) >= (again ? 0 : 1))
        i--;
    return i;
}

static int reload_list(struct query *q)
{
    segment_list_close(&q->list);
    free(q->begins);
    q->begins = NULL;
    return segment_list_open(&q->list, q->folder);
}

static int read_on(struct query *q)
{
    if (!segment_lines_is_open(&q->lines))
        return 0;
    int code = segment_lines_refresh(&q->lines);
    return code == 0 ? show_matches(q) : code;
}

/* The list is taken before reading: when a newer segment is in it, the open one is complete. */
static int follow(struct query *q)
{
    for (;;) {
        int code = reload_list(q);
        if (code == 0)
            code = read_on(q);
        if (code != 0)
            return code;
        size_t next = find_next(q, is_removed(&q->lines));
        if (next == q->list.count)
            wait_for_change(q);
        else
            code = open_segment(q, next);
        if (code < 0 && code != -ENOENT)
            return code;
    }
}

/* ---- the question ----------------------------------------------------------------------------------------------- */

static void prepare(struct query *q)
{
    const struct journal_filter *filter = q->filter;
    if (filter->since_ms != 0)
        text_format_utc(q->since, filter->since_ms);
    if (filter->until_ms != 0)
        text_format_utc(q->until, filter->until_ms);
    if (filter->subject == NULL)
        return;
    buf_json_text(&q->subject, filter->subject);
    buf_consume(&q->subject, 1);
    q->subject.length--; /* the quotes */
}

static int answer(struct query *q)
{
    int code = reload_list(q);
    if (code == 0)
        code = read_present(q);
    if (code == 0 && q->filter->follow)
        code = follow(q);
    segment_lines_close(&q->lines);
    index_close(&q->index);
    segment_list_close(&q->list);
    free(q->begins);
    buf_close(&q->subject);
    return code;
}

int reader_query(int folder, const struct journal_filter *filter, journal_visit visit, void *context)
{
    struct query q = {
        .filter = filter, .visit = visit, .context = context, .folder = folder, .watch = -1, .lines = { .fd = -1 }
    };
    prepare(&q);
    return answer(&q);
}

int journal_query(const char *folder, const struct journal_filter *filter, journal_visit visit, void *context,
                  struct why *why)
{
    struct query q = { .filter = filter, .visit = visit, .context = context, .watch = -1, .lines = { .fd = -1 } };
    q.folder = segment_open_folder(folder, why);
    if (q.folder < 0)
        return q.folder;
    prepare(&q);
    if (filter->follow)
        watch_folder(&q, folder);
    int code = answer(&q);
    if (code < 0)
        why_say(why, code, "the journal '%s' can't be read: %s", folder, error_text(code));
    if (q.watch >= 0)
        close(q.watch);
    close(q.folder);
    return code;
}

/* ---- one record ------------------------------------------------------------------------------------------------- */

int journal_find(const char *folder, uint64_t seq, char hash[65])
{
    struct segment_list list = { 0 };
    struct segment_lines lines = { .fd = -1 };
    struct segment_line line;
    int next = SEGMENT_END, fd = segment_open_folder(folder, NULL);
    if (fd < 0)
        return fd;
    int code = segment_list_open(&list, fd);
    size_t i = list.count;
    while (i > 0 && segment_first_seq(list.names[i - 1]) > seq)
        i--;
    if (code == 0)
        code = i > 0 ? segment_lines_open(&lines, fd, list.names[i - 1]) : -ENOENT;
    bool found = false;
    while (code == 0 && !found && (next = segment_lines_next(&lines, &line)) > SEGMENT_END && next != SEGMENT_REST) {
        struct record record;
        found = next == SEGMENT_LINE && record_parse(line.text, line.length, &record) == 0 && record.seq == seq &&
                record_hash_holds(line.text, line.length);
        if (found)
            text_copy(hash, 65, record.hash);
    }
    segment_lines_close(&lines);
    segment_list_close(&list);
    close(fd);
    return code != 0 ? code : next < 0 ? next : found ? 0 : -ENOENT;
}
